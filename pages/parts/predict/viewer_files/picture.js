// From grey values, heat and colours to a picture. One byte a pixel goes in, RGBA comes out.

/** Reads an 8-bit grey PNG at the size asked for; a smaller one is enlarged smoothly. */
async function readGrey(url, width, height) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const pen = newCanvas(width, height).getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, width, height);
  const pixels = pen.getImageData(0, 0, width, height).data;
  const grey = new Uint8Array(width * height);
  for (let index = 0; index < grey.length; index++) grey[index] = pixels[4 * index];
  return grey;
}

function newCanvas(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** Bytes of (256, 3) colours from base64. */
function readTable(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/**
 * The grey value that each of 256 is shown as: the linear function of DICOM PS3.3 C.11.2.1.2.1. Window 256 at level 128
 * leaves all as they are.
 */
function windowed(width, level, inverted) {
  return Uint8ClampedArray.from({ length: 256 }, (_, grey) => {
    const shown = ((grey - (level - 0.5)) / (width - 1) + 0.5) * 255;
    return inverted ? 255 - shown : shown;
  });
}

/** What each of 256 degrees of heat leaves of the film, and what it lays over it: the sum of `drawing.overlay`. */
function tinted(table, opacity) {
  const film = new Float32Array(256);
  const colour = new Float32Array(768);
  for (let heat = 0; heat < 256; heat++) {
    const share = (opacity * heat) / 255;
    film[heat] = 1 - share;
    for (let part = 0; part < 3; part++) colour[3 * heat + part] = table[3 * heat + part] * share;
  }
  return { film, colour };
}

/** The colours, four bytes each, of 256 grey values through `shades`, under each of `degrees` of heat in turn. */
function mixed(shades, tint, degrees) {
  const bytes = new Uint8ClampedArray(4 * 256 * degrees);
  for (let warm = 0, at = 0; warm < degrees; warm++) {
    const [red, green, blue] = tint.colour.subarray(3 * warm, 3 * warm + 3);
    for (let grey = 0; grey < 256; grey++, at += 4) {
      const rest = shades[grey] * tint.film[warm];
      bytes[at] = rest + red;
      bytes[at + 1] = rest + green;
      bytes[at + 2] = rest + blue;
      bytes[at + 3] = 255;
    }
  }
  return new Uint32Array(bytes.buffer);
}

/** Paints grey values through `shades`, and heat over them unless it is null, on a canvas of their size. */
function paint(canvas, grey, shades, heat, tint) {
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const picture = pen.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(picture.data.buffer);
  const colours = mixed(shades, tint, heat ? 256 : 1);
  if (heat) for (let index = 0; index < pixels.length; index++) pixels[index] = colours[(heat[index] << 8) | grey[index]];
  else for (let index = 0; index < pixels.length; index++) pixels[index] = colours[grey[index]];
  pen.putImageData(picture, 0, 0);
}

/** Paints the colours of a legend as they look over middle grey, on a canvas of 256 by 1 pixels. */
function paintLegend(canvas, tint) {
  const ramp = Uint8Array.from({ length: 256 }, (_, heat) => heat);
  paint(canvas, new Uint8Array(256).fill(128), windowed(256, 128, false), ramp, tint);
}

/** Fills `canvas` with the part of a painted film that a view shows; closed `lines` on it are cyan, cased in black. */
function drawView(canvas, painted, view, lines, lineWidth) {
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const { width, height } = canvas;
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.imageSmoothingQuality = "high";
  pen.translate(width / 2, height / 2);
  pen.scale(view.zoom * width, view.zoom * height);
  pen.translate(-view.x, -view.y);
  pen.drawImage(painted, 0, 0, 1, 1);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  const path = new Path2D();
  for (const line of lines) addRounded(path, line.map((point) => onCanvas(canvas, view, point)));
  strokeCased(pen, path, "cyan", lineWidth);
}

/**
 * Draws the contours and the boxes of hot regions, white and cased in black, on a canvas that `drawView` filled; each
 * region bears its number.
 */
function drawRegions(canvas, view, regions, { contours, boxes }, lineWidth) {
  if (!contours && !boxes) return;
  const pen = canvas.getContext("2d");
  const letter = 8 * lineWidth;
  Object.assign(pen, { font: `bold ${letter}px sans-serif`, textBaseline: "top", fillStyle: "white" });
  regions.forEach(({ line, box }, index) => {
    const path = new Path2D();
    if (contours) addRounded(path, line.map((point) => onCanvas(canvas, view, point)));
    const [left, top] = onCanvas(canvas, view, box.slice(0, 2));
    const [right, bottom] = onCanvas(canvas, view, box.slice(2));
    if (boxes) path.rect(left, top, right - left, bottom - top);
    strokeCased(pen, path, "white", lineWidth);
    // Inside a box its corner is free; a contour has no corner, so its number hangs from its highest point. Where the
    // frame cuts it off, that point lies outside.
    const highest = line.reduce((one, other) => (other[1] < one[1] ? other : one)).map((share) => Math.max(0, share));
    const place = boxes ? [left, top] : onCanvas(canvas, view, highest);
    const text = [String(index + 1), ...place.map((length) => length + 2 * lineWidth)];
    Object.assign(pen, { strokeStyle: "black", lineWidth: 2 * lineWidth });
    pen.strokeText(...text);
    pen.fillText(...text);
  });
}

/** The pixel of a canvas that a place of the film, in shares of its width and height, falls on in a view. */
function onCanvas({ width, height }, view, [x, y]) {
  return [((x - view.x) * view.zoom + 0.5) * width, ((y - view.y) * view.zoom + 0.5) * height];
}

/** Adds a closed line, rounded from middle to middle of its parts: enlarged, the steps of the pixels would show. */
function addRounded(path, line) {
  const middle = (index) => [0, 1].map((axis) => (line.at(index - 1)[axis] + line[index][axis]) / 2);
  path.moveTo(...middle(0));
  line.forEach((point, index) => path.quadraticCurveTo(...point, ...middle((index + 1) % line.length)));
  path.closePath();
}

function strokeCased(pen, path, colour, lineWidth) {
  pen.lineJoin = "round";
  for (const [shade, times] of [["black", 2], [colour, 1]]) {
    pen.strokeStyle = shade;
    pen.lineWidth = lineWidth * times;
    pen.stroke(path);
  }
}
