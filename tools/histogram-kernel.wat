;; Range and histogram of float32 numbers, four at a time, and the squared error of a grid.
;;
;; Memory: from byte 0 eight groups of four tables of 2,052 counters (one table per lane, so that equal neighbours do not
;; wait for each other's store), the results at byte 262,656, the group of each channel from byte 262,720 on, the numbers
;; from byte 328,256 on, a sum of four tables from byte 590,400 on, the numbers of "error" from byte 598,608 on. A
;; table's first counter is a guard for what lies below its 2,048 bins, the one behind them for what lies above.
(module
  (memory (export "memory") 11)

  ;; Of $count numbers: min, max (f32), zeros (i32) and not-finite (i32: 0 or 1), written to 262,656.
  (func (export "range") (param $count i32)
    (local $at i32) (local $end i32) (local $whole i32) (local $x v128) (local $one f32)
    (local $low v128) (local $high v128) (local $zeros v128) (local $bad v128)
    (local.set $at (i32.const 328256))
    (local.set $end (i32.add (local.get $at) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $whole (i32.add (local.get $at) (i32.shl (i32.and (local.get $count) (i32.const -4)) (i32.const 2))))
    (local.set $low (f32x4.splat (f32.const inf)))
    (local.set $high (f32x4.splat (f32.const -inf)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $whole)))
        (local.set $x (v128.load (local.get $at)))
        (local.set $low (f32x4.pmin (local.get $low) (local.get $x)))
        (local.set $high (f32x4.pmax (local.get $high) (local.get $x)))
        (local.set $zeros (i32x4.sub (local.get $zeros) (f32x4.eq (local.get $x) (v128.const f32x4 0 0 0 0))))
        ;; x − x is NaN for infinities and NaN, else 0, and NaN sticks in a sum.
        (local.set $bad (f32x4.add (local.get $bad) (f32x4.sub (local.get $x) (local.get $x))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $next)))
    ;; The up to three last numbers: in all four lanes, but counted as zeros in one.
    (block $over
      (loop $last
        (br_if $over (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $one (f32.load (local.get $at)))
        (local.set $x (f32x4.splat (local.get $one)))
        (local.set $low (f32x4.pmin (local.get $low) (local.get $x)))
        (local.set $high (f32x4.pmax (local.get $high) (local.get $x)))
        (local.set $bad (f32x4.add (local.get $bad) (f32x4.sub (local.get $x) (local.get $x))))
        (local.set $zeros
          (i32x4.replace_lane 0 (local.get $zeros)
            (i32.add (i32x4.extract_lane 0 (local.get $zeros)) (f32.eq (local.get $one) (f32.const 0)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $last)))
    (f32.store (i32.const 262656)
      (f32.min
        (f32.min (f32x4.extract_lane 0 (local.get $low)) (f32x4.extract_lane 1 (local.get $low)))
        (f32.min (f32x4.extract_lane 2 (local.get $low)) (f32x4.extract_lane 3 (local.get $low)))))
    (f32.store (i32.const 262660)
      (f32.max
        (f32.max (f32x4.extract_lane 0 (local.get $high)) (f32x4.extract_lane 1 (local.get $high)))
        (f32.max (f32x4.extract_lane 2 (local.get $high)) (f32x4.extract_lane 3 (local.get $high)))))
    (i32.store (i32.const 262664)
      (i32.add
        (i32.add (i32x4.extract_lane 0 (local.get $zeros)) (i32x4.extract_lane 1 (local.get $zeros)))
        (i32.add (i32x4.extract_lane 2 (local.get $zeros)) (i32x4.extract_lane 3 (local.get $zeros)))))
    (i32.store (i32.const 262668) (v128.any_true (f32x4.ne (local.get $bad) (local.get $bad)))))

  ;; Adds $count numbers from byte $at on to the tables at byte $table: bin floor(x · $inverse) − $origin.
  (func $histogram (export "histogram") (param $at i32) (param $count i32) (param $inverse f32) (param $origin i32) (param $table i32)
    (local $end i32) (local $whole i32) (local $bin v128) (local $pair i64) (local $p i32)
    (local $inverses v128) (local $lowest v128) (local $highest v128)
    (local.set $end (i32.add (local.get $at) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $whole (i32.add (local.get $at) (i32.shl (i32.and (local.get $count) (i32.const -4)) (i32.const 2))))
    (local.set $inverses (f32x4.splat (local.get $inverse)))
    ;; Bins below and above go to the guards. The clamp comes before the shift, so that nothing wraps around.
    (local.set $lowest (i32x4.splat (i32.sub (local.get $origin) (i32.const 1))))
    (local.set $highest (i32x4.splat (i32.add (local.get $origin) (i32.const 2048))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $whole)))
        (local.set $bin
          (i32x4.shl
            (i32x4.sub
              (i32x4.min_s
                (i32x4.max_s
                  (i32x4.trunc_sat_f32x4_s
                    (f32x4.floor (f32x4.mul (v128.load (local.get $at)) (local.get $inverses))))
                  (local.get $lowest))
                (local.get $highest))
              (local.get $lowest))
            (i32.const 2)))
        ;; Two lanes at a time: taking them out one by one is what a sweep would wait for.
        (local.set $pair (i64x2.extract_lane 0 (local.get $bin)))
        (local.set $p (i32.add (local.get $table) (i32.wrap_i64 (local.get $pair))))
        (i32.store (local.get $p) (i32.add (i32.load (local.get $p)) (i32.const 1)))
        (local.set $p (i32.add (local.get $table) (i32.wrap_i64 (i64.shr_u (local.get $pair) (i64.const 32)))))
        (i32.store offset=8208 (local.get $p) (i32.add (i32.load offset=8208 (local.get $p)) (i32.const 1)))
        (local.set $pair (i64x2.extract_lane 1 (local.get $bin)))
        (local.set $p (i32.add (local.get $table) (i32.wrap_i64 (local.get $pair))))
        (i32.store offset=16416 (local.get $p) (i32.add (i32.load offset=16416 (local.get $p)) (i32.const 1)))
        (local.set $p (i32.add (local.get $table) (i32.wrap_i64 (i64.shr_u (local.get $pair) (i64.const 32)))))
        (i32.store offset=24624 (local.get $p) (i32.add (i32.load offset=24624 (local.get $p)) (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $next)))
    ;; The up to three last numbers, one by one.
    (block $over
      (loop $last
        (br_if $over (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $p
          (i32.add (local.get $table)
            (i32.shl
              (i32x4.extract_lane 0
                (i32x4.sub
                  (i32x4.min_s
                    (i32x4.max_s
                      (i32x4.trunc_sat_f32x4_s
                        (f32x4.floor (f32x4.mul (f32x4.splat (f32.load (local.get $at))) (local.get $inverses))))
                      (local.get $lowest))
                    (local.get $highest))
                  (local.get $lowest)))
              (i32.const 2))))
        (i32.store (local.get $p) (i32.add (i32.load (local.get $p)) (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $last))))

  ;; Adds $planes planes of $length numbers from byte $at on; the first belongs to $channel of $channels, the next to the
  ;; next one, and each goes to the tables of its channel's group.
  (func (export "planes") (param $at i32) (param $planes i32) (param $length i32) (param $channel i32) (param $channels i32)
      (param $inverse f32) (param $origin i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $planes)))
        (call $histogram (local.get $at) (local.get $length) (local.get $inverse) (local.get $origin)
          (i32.mul (i32.const 32832) (i32.load8_u offset=262720 (local.get $channel))))
        (local.set $at (i32.add (local.get $at) (i32.shl (local.get $length) (i32.const 2))))
        (local.set $channel (i32.add (local.get $channel) (i32.const 1)))
        (if (i32.eq (local.get $channel) (local.get $channels)) (then (local.set $channel (i32.const 0))))
        (local.set $planes (i32.sub (local.get $planes) (i32.const 1)))
        (br $next))))

  ;; Writes the sum of the four tables of the group at byte $table to byte 590,400, and clears them.
  (func (export "fold") (param $table i32)
    (local $end i32) (local $to i32)
    (local.set $end (i32.add (local.get $table) (i32.const 8208)))
    (local.set $to (i32.const 590400))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $table) (local.get $end)))
        (v128.store (local.get $to)
          (i32x4.add
            (i32x4.add (v128.load (local.get $table)) (v128.load offset=8208 (local.get $table)))
            (i32x4.add (v128.load offset=16416 (local.get $table)) (v128.load offset=24624 (local.get $table)))))
        (v128.store (local.get $table) (v128.const i32x4 0 0 0 0))
        (v128.store offset=8208 (local.get $table) (v128.const i32x4 0 0 0 0))
        (v128.store offset=16416 (local.get $table) (v128.const i32x4 0 0 0 0))
        (v128.store offset=24624 (local.get $table) (v128.const i32x4 0 0 0 0))
        (local.set $table (i32.add (local.get $table) (i32.const 16)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br $next))))

  ;; Σ (x − x̂)² of $count numbers from byte 598,608 on, x̂ = $scale · min(max(floor(x · $inverse + ½), $low), $high), in
  ;; float64. A sum past $enough is given back as soon as it is seen, every 64 numbers.
  (func (export "error") (param $count i32) (param $scale f64) (param $inverse f64) (param $low f64) (param $high f64)
      (param $enough f64) (result f64)
    (local $at i32) (local $end i32) (local $whole i32) (local $stop i32) (local $all f64) (local $sum v128) (local $other v128)
    (local $x v128) (local $y v128) (local $scales v128) (local $inverses v128) (local $lows v128) (local $highs v128)
    (local $half v128)
    (local.set $at (i32.const 598608))
    (local.set $end (i32.add (local.get $at) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $whole (i32.add (local.get $at) (i32.shl (i32.and (local.get $count) (i32.const -4)) (i32.const 2))))
    (local.set $scales (f64x2.splat (local.get $scale)))
    (local.set $inverses (f64x2.splat (local.get $inverse)))
    (local.set $lows (f64x2.splat (local.get $low)))
    (local.set $highs (f64x2.splat (local.get $high)))
    (local.set $half (f64x2.splat (f64.const 0.5)))
    (block $done
      (loop $stretch
        (br_if $done (i32.ge_u (local.get $at) (local.get $whole)))
        (local.set $stop (i32.add (local.get $at) (i32.const 256)))
        (if (i32.gt_u (local.get $stop) (local.get $whole)) (then (local.set $stop (local.get $whole))))
        (loop $next
          (local.set $x (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at))))
          (local.set $y (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at))))
          (local.set $x
            (f64x2.sub (local.get $x)
              (f64x2.mul (local.get $scales)
                (f64x2.pmin
                  (f64x2.pmax
                    (f64x2.floor (f64x2.add (f64x2.mul (local.get $x) (local.get $inverses)) (local.get $half)))
                    (local.get $lows))
                  (local.get $highs)))))
          (local.set $y
            (f64x2.sub (local.get $y)
              (f64x2.mul (local.get $scales)
                (f64x2.pmin
                  (f64x2.pmax
                    (f64x2.floor (f64x2.add (f64x2.mul (local.get $y) (local.get $inverses)) (local.get $half)))
                    (local.get $lows))
                  (local.get $highs)))))
          (local.set $sum (f64x2.add (local.get $sum) (f64x2.mul (local.get $x) (local.get $x))))
          (local.set $other (f64x2.add (local.get $other) (f64x2.mul (local.get $y) (local.get $y))))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br_if $next (i32.lt_u (local.get $at) (local.get $stop))))
        (local.set $x (f64x2.add (local.get $sum) (local.get $other)))
        (local.set $all (f64.add (f64x2.extract_lane 0 (local.get $x)) (f64x2.extract_lane 1 (local.get $x))))
        (if (f64.gt (local.get $all) (local.get $enough)) (then (return (local.get $all))))
        (br $stretch)))
    ;; The up to three last numbers, in both lanes, added from one.
    (block $over
      (loop $last
        (br_if $over (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $x (f64x2.splat (f64.promote_f32 (f32.load (local.get $at)))))
        (local.set $x
          (f64x2.sub (local.get $x)
            (f64x2.mul (local.get $scales)
              (f64x2.pmin
                (f64x2.pmax
                  (f64x2.floor (f64x2.add (f64x2.mul (local.get $x) (local.get $inverses)) (local.get $half)))
                  (local.get $lows))
                (local.get $highs)))))
        (local.set $all
          (f64.add (local.get $all) (f64x2.extract_lane 0 (f64x2.mul (local.get $x) (local.get $x)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $last)))
    (local.get $all)))
