;; Minimum, maximum, zeros and histogram of a stretch of float32 numbers, four at a time.
;;
;; Memory: four tables of 2,052 counters (one per lane, so that equal neighbours do not wait for each other's store)
;; from byte 0, the results at byte 32,832, the numbers from byte 32,896 on. A table's first and last counters but two
;; are guards: what lies below and above its 2,048 bins.
(module
  (memory (export "memory") 6)

  ;; What both exports return, at 32,832: min, max, zeros (i32), not-finite (i32: 0 or 1).
  (func $finish (param $low v128) (param $high v128) (param $zeros v128) (param $bad v128)
    (f32.store (i32.const 32832)
      (f32.min
        (f32.min (f32x4.extract_lane 0 (local.get $low)) (f32x4.extract_lane 1 (local.get $low)))
        (f32.min (f32x4.extract_lane 2 (local.get $low)) (f32x4.extract_lane 3 (local.get $low)))))
    (f32.store (i32.const 32836)
      (f32.max
        (f32.max (f32x4.extract_lane 0 (local.get $high)) (f32x4.extract_lane 1 (local.get $high)))
        (f32.max (f32x4.extract_lane 2 (local.get $high)) (f32x4.extract_lane 3 (local.get $high)))))
    (i32.store (i32.const 32840)
      (i32.add
        (i32.add (i32x4.extract_lane 0 (local.get $zeros)) (i32x4.extract_lane 1 (local.get $zeros)))
        (i32.add (i32x4.extract_lane 2 (local.get $zeros)) (i32x4.extract_lane 3 (local.get $zeros)))))
    ;; x − x is NaN for infinities and NaN, else 0, and NaN sticks in a sum.
    (i32.store (i32.const 32844) (v128.any_true (f32x4.ne (local.get $bad) (local.get $bad)))))

  ;; Range of $count numbers ($count a multiple of 4).
  (func (export "range") (param $count i32)
    (local $at i32) (local $end i32) (local $x v128)
    (local $low v128) (local $high v128) (local $zeros v128) (local $bad v128)
    (local.set $at (i32.const 32896))
    (local.set $end (i32.add (local.get $at) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $low (f32x4.splat (f32.const inf)))
    (local.set $high (f32x4.splat (f32.const -inf)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $x (v128.load (local.get $at)))
        (local.set $low (f32x4.pmin (local.get $low) (local.get $x)))
        (local.set $high (f32x4.pmax (local.get $high) (local.get $x)))
        (local.set $zeros (i32x4.sub (local.get $zeros) (f32x4.eq (local.get $x) (v128.const f32x4 0 0 0 0))))
        (local.set $bad (f32x4.add (local.get $bad) (f32x4.sub (local.get $x) (local.get $x))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $next)))
    (call $finish (local.get $low) (local.get $high) (local.get $zeros) (local.get $bad)))

  ;; Range and histogram of $count numbers: bin floor(x · $inverse) − $origin, clamped into the guards.
  (func (export "histogram") (param $count i32) (param $inverse f32) (param $origin i32)
    (local $at i32) (local $end i32) (local $x v128) (local $bin v128)
    (local $inverses v128) (local $shift v128) (local $top v128) (local $p i32)
    (local $low v128) (local $high v128) (local $zeros v128) (local $bad v128)
    (local.set $at (i32.const 32896))
    (local.set $end (i32.add (local.get $at) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $low (f32x4.splat (f32.const inf)))
    (local.set $high (f32x4.splat (f32.const -inf)))
    (local.set $inverses (f32x4.splat (local.get $inverse)))
    (local.set $shift (i32x4.splat (i32.sub (i32.const 1) (local.get $origin))))
    (local.set $top (i32x4.splat (i32.const 2049)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $x (v128.load (local.get $at)))
        (local.set $low (f32x4.pmin (local.get $low) (local.get $x)))
        (local.set $high (f32x4.pmax (local.get $high) (local.get $x)))
        (local.set $zeros (i32x4.sub (local.get $zeros) (f32x4.eq (local.get $x) (v128.const f32x4 0 0 0 0))))
        (local.set $bad (f32x4.add (local.get $bad) (f32x4.sub (local.get $x) (local.get $x))))
        ;; Quotients are clamped before they become integers, so that adding the shift cannot wrap around.
        (local.set $bin
          (i32x4.shl
            (i32x4.max_s
              (i32x4.min_s
                (i32x4.add
                  (i32x4.trunc_sat_f32x4_s
                    (f32x4.pmin
                      (f32x4.pmax
                        (f32x4.floor (f32x4.mul (local.get $x) (local.get $inverses)))
                        (v128.const f32x4 -1073741824 -1073741824 -1073741824 -1073741824))
                      (v128.const f32x4 1073741824 1073741824 1073741824 1073741824)))
                  (local.get $shift))
                (local.get $top))
              (v128.const i32x4 0 0 0 0))
            (i32.const 2)))
        (local.set $p (i32x4.extract_lane 0 (local.get $bin)))
        (i32.store (local.get $p) (i32.add (i32.load (local.get $p)) (i32.const 1)))
        (local.set $p (i32x4.extract_lane 1 (local.get $bin)))
        (i32.store offset=8208 (local.get $p) (i32.add (i32.load offset=8208 (local.get $p)) (i32.const 1)))
        (local.set $p (i32x4.extract_lane 2 (local.get $bin)))
        (i32.store offset=16416 (local.get $p) (i32.add (i32.load offset=16416 (local.get $p)) (i32.const 1)))
        (local.set $p (i32x4.extract_lane 3 (local.get $bin)))
        (i32.store offset=24624 (local.get $p) (i32.add (i32.load offset=24624 (local.get $p)) (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $next)))
    (call $finish (local.get $low) (local.get $high) (local.get $zeros) (local.get $bad))))
