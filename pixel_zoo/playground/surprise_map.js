// The picture of `surprise_map`. `props.value` holds {picture, height, width}.
const find = (selector) => element.querySelector(selector);
let pointed = "";

function show() {
  if (!props.value) return;
  find("img").src = props.value.picture;
  find("img").hidden = false;
  find(".cursor").hidden = true;
  pointed = "";
}

function point(event) {
  if (!props.value || event.target !== find("img")) return;
  const { height, width } = props.value;
  const box = find("img").getBoundingClientRect();
  const column = Math.min(width - 1, Math.max(0, Math.floor(((event.clientX - box.left) * width) / box.width)));
  const row = Math.min(height - 1, Math.max(0, Math.floor(((event.clientY - box.top) * height) / box.height)));
  if (pointed === `${row},${column}`) return;
  pointed = `${row},${column}`;
  const cursor = find(".cursor");
  cursor.hidden = false;
  cursor.style.left = `${(100 * column) / width}%`;
  cursor.style.top = `${(100 * row) / height}%`;
  cursor.style.width = `${100 / width}%`;
  cursor.style.height = `${100 / height}%`;
  trigger("point", { row, column });
}

element.addEventListener("pointermove", point);
element.addEventListener("pointerdown", point);
watch("value", show);
show();
