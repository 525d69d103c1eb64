// The canvas of `paint_canvas`. `props.value` holds {height, width, colours, levels, image, known}; the last two are flat.
const LARGEST = 448;
let value = null;
let painting = false;
let last = null; // row and column that the stroke has reached

const find = (selector) => element.querySelector(selector);
const cell = () => Math.max(1, Math.floor(LARGEST / Math.max(value.height, value.width)));
const shade = (level) => Math.round((255 * level) / (value.levels - 1));

function draw() {
  const canvas = find("canvas");
  const size = cell();
  canvas.width = value.width * size;
  canvas.height = value.height * size;
  const context = canvas.getContext("2d");
  for (let pixel = 0; pixel < value.known.length; pixel++) {
    const own = value.image.slice(pixel * value.colours, (pixel + 1) * value.colours).map(shade);
    const rgb = value.known[pixel] ? (value.colours === 3 ? own : [own[0], own[0], own[0]]) : props.unknown;
    context.fillStyle = `rgb(${rgb.join(",")})`;
    context.fillRect((pixel % value.width) * size, Math.floor(pixel / value.width) * size, size, size);
  }
}

function take() {
  value = structuredClone(props.value);
  if (!value) return;
  const range = find("input.value");
  if (Number(range.max) !== value.levels - 1) {
    range.max = value.levels - 1;
    range.value = value.levels - 1;
  }
  find("label.grey").hidden = value.colours === 3;
  find("label.rgb").hidden = value.colours !== 3;
  draw();
}

function brush() {
  if (value.colours !== 3) return Array(value.colours).fill(Number(find("input.value").value));
  const hex = find("input.colour").value;
  return [1, 3, 5].map((at) => Math.round((parseInt(hex.slice(at, at + 2), 16) * (value.levels - 1)) / 255));
}

function dab(row, column) {
  const size = Number(find("select.size").value);
  const hides = find("input.hide").checked;
  for (let r = row; r < Math.min(row + size, value.height); r++) {
    for (let c = column; c < Math.min(column + size, value.width); c++) {
      if (r < 0 || c < 0) continue;
      const pixel = r * value.width + c;
      value.known[pixel] = hides ? 0 : 1;
      if (!hides) value.image.splice(pixel * value.colours, value.colours, ...brush());
    }
  }
}

// A fast pointer is not reported for every pixel it crosses: also paint those since the last report.
function paint(event) {
  const box = find("canvas").getBoundingClientRect();
  const column = Math.floor(((event.clientX - box.left) * value.width) / box.width);
  const row = Math.floor(((event.clientY - box.top) * value.height) / box.height);
  const from = last ?? [row, column];
  const steps = Math.max(1, Math.abs(row - from[0]), Math.abs(column - from[1]));
  for (let step = 1; step <= steps; step++) {
    dab(...[row, column].map((to, axis) => Math.round(from[axis] + ((to - from[axis]) * step) / steps)));
  }
  last = [row, column];
  draw();
}

element.addEventListener("pointerdown", (event) => {
  if (event.target !== find("canvas") || !value) return;
  event.preventDefault();
  event.target.setPointerCapture(event.pointerId);
  painting = true;
  last = null;
  paint(event);
});
element.addEventListener("pointermove", (event) => {
  if (painting) paint(event);
});
for (const end of ["pointerup", "pointercancel"]) {
  element.addEventListener(end, () => {
    if (!painting) return;
    painting = false;
    props.value = structuredClone(value);
    trigger("stroke");
  });
}
watch("value", take);
take();
