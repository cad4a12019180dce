// Put at the end of a page by its test: tells what is cut off, laid over or too small, and whether sorting works.
"use strict";
window.addEventListener("load", () => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const name = (one) => `${one.tagName} ${one.id || one.className.baseVal || one.className} ${one.textContent.trim().slice(0, 40)}`;
  const scrolls = (one) => one.closest(".scroll, pre");
  found.width = innerWidth;
  if (document.documentElement.scrollWidth > innerWidth) found.cut.push("the page " + document.documentElement.scrollWidth);
  for (const one of document.body.querySelectorAll("*")) {
    if (["SCRIPT", "STYLE"].includes(one.tagName) || one.closest(".hidden")) continue;
    const box = one.getBoundingClientRect();
    if (!box.width || scrolls(one)) continue;
    if (box.right > innerWidth + 1 || box.left < -1) found.cut.push(name(one));
    if (!one.closest("svg") && one.clientWidth && one.scrollWidth > one.clientWidth + 1) found.cut.push("inside " + name(one));
  }
  for (const drawing of document.querySelectorAll(".drawing svg")) {
    const outer = drawing.getBoundingClientRect();
    // Of a figure with a wide form one of the two is shown.
    if (!outer.width) continue;
    const scale = outer.width / drawing.viewBox.baseVal.width;
    const boxes = [...drawing.querySelectorAll("text")].map((text) => [text, text.getBoundingClientRect()]);
    boxes.forEach(([text, box], i) => {
      const where = drawing.closest("figure").id + ": " + text.textContent;
      const size = parseFloat(getComputedStyle(text).fontSize) * scale;
      if (size < SMALLEST) found.small.push(where + " " + size);
      if (box.right > outer.right + 2 || box.left < outer.left - 2 || box.bottom > outer.bottom + 2 || box.top < outer.top - 2)
        found.cut.push(where);
      for (const [other, its] of boxes.slice(i + 1)) {
        const wide = Math.min(box.right, its.right) - Math.max(box.left, its.left);
        const high = Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top);
        if (wide > 2 && high > 5 && !isTurned(text) && !isTurned(other)) found.overlapping.push(where + " / " + other.textContent);
      }
    });
  }
  const drawn = (figure) => [...figure.querySelectorAll(".drawing svg")].filter((one) => one.getBoundingClientRect().width);
  found.figures = [...document.querySelectorAll("figure")].map((figure) => drawn(figure).length);
  const table = document.querySelector("table.sortable");
  const column = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.startsWith("test accuracy"));
  const values = () => [...table.tBodies[0].rows].map((row) => parseFloat(row.cells[column].dataset.value));
  const button = table.tHead.rows[0].cells[column].querySelector("button");
  button.click();
  found.up = values();
  button.click();
  found.down = values();
  found.sorted = table.tHead.rows[0].cells[column].getAttribute("aria-sort");
  found.focus = (button.focus(), document.activeElement === button);
  parent.postMessage(JSON.stringify(found), "*");
});
const isTurned = (text) => /rotate\(-?(?!0[ )])/.test(text.getAttribute("transform") || "");
