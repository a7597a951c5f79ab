// The picture that a reader keeps: what is on the screen, and what it must not travel without.

const GAP = 16;
const TEXT_HEIGHT = 24;
const BAR_WIDTH = 200;

/**
 * Sets pictures of one size side by side above the legend and some sentences, black on white.
 *
 * `legend` is {bar: a canvas, cold: its left end in words, hot: its right end}, or false where there is no heat.
 */
function compose(pictures, legend, sentences) {
  const [{ width, height }] = pictures;
  const page = newCanvas(pictures.length * (width + GAP) + GAP, 1);
  const write = (pen) => Object.assign(pen, { font: "16px sans-serif", fillStyle: "black", textBaseline: "middle" });
  const inner = page.width - 2 * GAP;
  const lines = sentences.flatMap((sentence) => wrapped(write(page.getContext("2d")), sentence, inner));
  const top = height + 2 * GAP;
  // A canvas forgets its pen when it is resized.
  page.height = top + (lines.length + (legend ? 1 : 0)) * TEXT_HEIGHT + GAP;

  const pen = page.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, page.width, page.height);
  pictures.forEach((picture, index) => pen.drawImage(picture, GAP + index * (width + GAP), GAP));
  write(pen);
  let middle = top + TEXT_HEIGHT / 2;
  if (legend) {
    pen.fillText(legend.cold, GAP, middle);
    const bar = 1.5 * GAP + pen.measureText(legend.cold).width;
    pen.drawImage(legend.bar, bar, top + 4, BAR_WIDTH, TEXT_HEIGHT - 8);
    pen.fillText(legend.hot, bar + BAR_WIDTH + GAP / 2, middle);
    middle += TEXT_HEIGHT;
  }
  lines.forEach((line, index) => pen.fillText(line, GAP, middle + index * TEXT_HEIGHT));
  return page;
}

function wrapped(pen, text, width) {
  const lines = [""];
  // Chinese has no spaces: there a line may break after any character.
  for (const word of text.match(/ ?[\u3000-\u9fff\uff00-\uffef]| ?[^ \u3000-\u9fff\uff00-\uffef]+/g) ?? []) {
    const longer = `${lines.at(-1)}${word}`.trim();
    if (pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word.trim());
  }
  return lines;
}

/** Hands a canvas to the browser as a PNG to download; nothing leaves the machine. */
function download(canvas, name) {
  canvas.toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    // The browser reads the address after the click has returned.
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}
