/**
 * One plot of bench/ptq.mjs: accuracy against processor seconds (logarithmic) of every method that looks for better rounding, as
 * SVG. Nearest rounding lies far below and is in the tables.
 */

const settings = ["ResNet-20 | W4A8 per channel", "ResNet-20 | W3A8 per channel"];
const panel = { width: 470, height: 300, left: 48, top: 34, right: 14, bottom: 44 };
const colours = { ours: "#0b6bcb", peer: "#c4501b" };

/** @param {Record<string, readonly { score: number, seconds: number }[]>} rows */
export function plot(rows) {
  const panels = settings.map((setting, i) => draw(setting, pointsOf(rows, setting), i * panel.width));
  const size = `viewBox="0 0 ${panel.width * settings.length} ${panel.height}"`;
  const style = 'font-family="system-ui, sans-serif" font-size="11" fill="#333"';
  const back = `<rect width="100%" height="100%" fill="#fff"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style} role="img"><title>Accuracy against processor seconds</title>\n${back}\n${panels.join("\n")}\n</svg>\n`;
}

function pointsOf(rows, setting) {
  return Object.entries(rows)
    .filter(([key]) => key.startsWith(`${setting} | `))
    .map(([key, seeds]) => {
      const mean = (of) => seeds.reduce((sum, row) => sum + of(row), 0) / seeds.length;
      return {
        name: key.split(" | ")[2],
        score: 100 * mean((r) => r.score),
        seconds: mean((r) => r.cpuSeconds ?? r.seconds),
      };
    })
    .filter(({ name }) => !/pictures|nearest/.test(name));
}

function draw(title, points, offset) {
  if (points.length === 0) return "";
  const scores = points.map((p) => p.score);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  // The axis leaves a margin of an eighth on both sides.
  const margin = (high - low) / 8 || 1;
  const [first, last] = [-1, Math.ceil(Math.log10(Math.max(...points.map((p) => p.seconds))))];
  const right = panel.width - panel.right;
  const floor = panel.height - panel.bottom;
  const x = (seconds) => panel.left + ((Math.log10(seconds) - first) / (last - first)) * (right - panel.left);
  const y = (score) => floor - ((score - low + margin) / (high - low + 2 * margin)) * (floor - panel.top);
  const parts = [text(panel.left, 18, title.replace(" | ", ", "), 'font-weight="600" font-size="12"')];
  for (let power = first; power <= last; power++) {
    parts.push(line(x(10 ** power), panel.top, x(10 ** power), floor));
    parts.push(text(x(10 ** power), floor + 15, `${10 ** power}`, 'text-anchor="middle"'));
  }
  parts.push(text((panel.left + right) / 2, floor + 32, "processor seconds", 'text-anchor="middle"'));
  const step = [0.5, 1, 2, 5, 10, 20].find((s) => (high - low) / s < 7) ?? 50;
  for (let score = Math.ceil((low - margin) / step) * step; score <= high + margin; score += step) {
    parts.push(line(panel.left, y(score), right, y(score)));
    parts.push(text(panel.left - 6, y(score) + 4, `${score}`, 'text-anchor="end"'));
  }
  const isPeer = ({ name }) => name.startsWith("AIMET");
  for (const point of points) {
    const at = `cx="${x(point.seconds).toFixed(1)}" cy="${y(point.score).toFixed(1)}"`;
    parts.push(`<circle ${at} r="4" fill="${isPeer(point) ? colours.peer : colours.ours}"/>`);
  }
  for (const { name, score, seconds } of points.filter(isPeer)) {
    const anchor = x(seconds) > right - 60 ? "end" : "middle";
    parts.push(text(x(seconds), y(score) + 17, name, `fill="${colours.peer}" text-anchor="${anchor}"`));
  }
  // Ours lie close together: their names stand one below the other, each with a line to its point.
  const ours = points.filter((point) => !isPeer(point)).sort((a, b) => b.score - a.score);
  const edge = Math.min(...ours.map(({ seconds }) => x(seconds))) - 26;
  let free = panel.top;
  for (const { name, score, seconds } of ours) {
    const at = Math.max(y(score), free);
    free = at + 13;
    parts.push(line(edge + 3, at, x(seconds) - 4, y(score), "#9bb8d6"));
    parts.push(text(edge, at + 4, name, `fill="${colours.ours}" text-anchor="end"`));
  }
  return `<g transform="translate(${offset} 0)">${parts.join("")}</g>`;
}

function text(x, y, words, attributes) {
  const plain = words.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${plain}</text>`;
}

function line(x1, y1, x2, y2, stroke = "#e4e4e4") {
  return `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${stroke}"/>`;
}
