// The viewer: its controls, and what they show.

const START = {
  opacity: 60,
  colours: "inferno",
  scale: "relative",
  outline: true,
  contours: false,
  boxes: false,
  width: 256,
  level: 128,
  inverted: false,
  dragsWindow: false,
};
// Set for one film, and wrong for the next.
const OF_ONE_FILM = ["width", "level", "inverted"];
const LINE_WIDTH = 2;
const SAVED_SIDE = 800;
// Streamlit calls a component anew whenever its data change, with the same root.
const viewers = new WeakMap();

export default function ({ data, parentElement: root }) {
  if (!viewers.has(root)) viewers.set(root, new Viewer(root));
  viewers.get(root).load(data);
  return () => {
    viewers.get(root)?.stop.abort();
    viewers.delete(root);
  };
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.stop = new AbortController();
    this.view = new View();
    this.settings = this.start();
    this.sides = Object.fromEntries(["film", "heat"].map((side) => [side, this.side(side)]));
    const { signal } = this.stop;
    const sized = new ResizeObserver(() => this.show());
    signal.addEventListener("abort", () => sized.disconnect());
    const on = {
      moved: () => this.show(),
      windowed: (x, y) => this.dragWindow(x, y),
      dragsWindow: () => this.settings.dragsWindow,
    };
    for (const { stage } of Object.values(this.sides)) {
      sized.observe(stage);
      listen(stage, this.view, on, signal);
    }
    this.find(".viewer").addEventListener("input", ({ target }) => this.set(target), { signal });
    for (const button of root.querySelectorAll("button")) {
      button.addEventListener("click", () => this[button.dataset.does](), { signal });
    }
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  side(name) {
    const figure = this.find(`[data-side=${name}]`);
    const [stage, caption] = [".stage", "figcaption"].map((part) => figure.querySelector(part));
    return { figure, stage, canvas: stage.firstElementChild, caption };
  }

  start() {
    // Two pictures do not fit the screen of a phone.
    const both = matchMedia("(max-width: 640px)").matches ? "heat" : "two";
    return { ...START, layout: this.data?.mapOff ? "film" : both };
  }

  async load(data) {
    const { width, height } = data;
    const isOther = data.film !== this.data?.film;
    const switched = data.mapOff !== this.data?.mapOff;
    if (isOther) {
      this.view.reset();
      for (const name of OF_ONE_FILM) this.settings[name] = START[name];
    }
    if (!data.absolute) this.settings.scale = START.scale;
    this.data = data;
    // A map that was asked for on one film stays off on the next.
    if (switched || (isOther && data.mapOff)) this.settings.layout = this.start().layout;
    speak(this.root, data.labels);
    for (const [name, { figure, canvas, stage }] of Object.entries(this.sides)) {
      figure.style.setProperty("--shape", width / height);
      canvas.setAttribute("aria-label", data.words[name]);
      stage.setAttribute("aria-label", `${data.titles[name]}: ${data.said.keys}`);
    }
    this.find("[name=colours]").replaceChildren(...data.colours.map(({ name, title }) => new Option(title, name)));
    this.find(".scale").hidden = !data.absolute;
    this.find(".lungs").hidden = !data.outline.length;
    this.find(".regions").hidden = !data.regions.relative.length;
    const problem = this.find(".problem");
    try {
      const [film, relative, absolute] = await Promise.all(
        [data.film, data.heat, data.absolute].map((url) => url && readGrey(url, width, height)),
      );
      if (this.data !== data) return;
      this.pixels = { film, relative, absolute };
      this.tables = Object.fromEntries(data.colours.map(({ name, table }) => [name, readTable(table)]));
      for (const side of Object.values(this.sides)) Object.assign(side, { painted: newCanvas(width, height), as: "" });
      problem.hidden = true;
      this.draw();
    } catch {
      problem.textContent = data.said.broken;
      problem.hidden = false;
    }
  }

  set(control) {
    const value = { checkbox: control.checked, range: Number(control.value) }[control.type] ?? control.value;
    this.settings[control.name] = value;
    this.show();
  }

  dragWindow(x, y) {
    for (const [name, by] of [["width", x], ["level", y]]) {
      const { min, max } = this.find(`[name=${name}]`);
      this.settings[name] = Math.min(max, Math.max(min, this.settings[name] + by));
    }
    this.show();
  }

  zoomIn() {
    this.view.zoomBy(ZOOM_STEP);
    this.show();
  }

  zoomOut() {
    this.view.zoomBy(1 / ZOOM_STEP);
    this.show();
  }

  reset() {
    this.settings = this.start();
    this.view.reset();
    this.show();
  }

  save() {
    const { width, height } = this.data;
    const scale = SAVED_SIDE / Math.max(width, height);
    const pictures = this.shown().map((side) => {
      const canvas = newCanvas(Math.round(width * scale), Math.round(height * scale));
      this.drawOn(canvas, side, LINE_WIDTH);
      return canvas;
    });
    // The film's name may name a child, and a picture travels further than the page: it is left out.
    const hasHeat = this.shown().includes("heat");
    const legend = hasHeat && { bar: this.find(".legend canvas"), ...this.data.scales[this.settings.scale] };
    const regions = this.outlinesRegions() ? this.toldRegions() : [];
    const numbered = regions.map((words, index) => `${index + 1}: ${words}.`);
    const words = this.data.words[hasHeat ? "heat" : "film"];
    download(compose(pictures, legend, [words, ...numbered, this.data.note]), "pneumo-picture.png");
  }

  /** Draws once a frame, however many events come in one. */
  show() {
    if (this.frame || !this.pixels) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    this.showControls();
    this.showPictures();
    this.showLegend();
    this.showRegions();
  }

  shown() {
    const { layout } = this.settings;
    return layout === "two" ? ["film", "heat"] : [layout];
  }

  showControls() {
    for (const control of this.root.querySelectorAll("[name]")) {
      const value = this.settings[control.name];
      if (control.type === "checkbox") control.checked = value;
      else if (control.type === "radio") control.checked = control.value === value;
      else control.value = value;
      if (control.type !== "range") continue;
      const words = control.name === "opacity" ? `${value} %` : String(Math.round(value));
      control.setAttribute("aria-valuetext", words);
      this.find(`[data-value=${control.name}]`).textContent = words;
    }
    this.find("output").textContent = `${Math.round(100 * this.view.zoom)} %`;
  }

  showPictures() {
    const { film, heat } = this.sides;
    const { caption, heatCaption } = this.data;
    const shown = this.shown();
    for (const [side, { figure }] of Object.entries(this.sides)) figure.hidden = !shown.includes(side);
    film.caption.textContent = caption;
    heat.caption.textContent = film.figure.hidden ? `${caption} · ${heatCaption}` : heatCaption;
    for (const side of shown) {
      const { canvas, stage } = this.sides[side];
      const sharp = (length) => Math.round(length * devicePixelRatio);
      const [width, height] = [sharp(stage.clientWidth), sharp(stage.clientHeight)];
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      if (width && height) this.drawOn(canvas, side, LINE_WIDTH * devicePixelRatio);
      stage.classList.toggle("sets-window", this.settings.dragsWindow);
      // A finger on the whole film scrolls the page, as beside it.
      stage.style.touchAction = this.view.zoom > 1 || this.settings.dragsWindow ? "none" : "pan-y";
    }
  }

  drawOn(canvas, side, lineWidth) {
    const { width, level, inverted, outline, scale, opacity, colours } = this.settings;
    const { painted, as } = this.sides[side];
    const heat = side === "heat" ? this.pixels[scale] : null;
    // Moving the film repaints nothing.
    const wanted = [width, level, inverted, ...(heat ? [opacity, colours, scale] : [])].join();
    if (as !== wanted) {
      paint(painted, this.pixels.film, windowed(width, level, inverted), heat, this.tint());
      this.sides[side].as = wanted;
    }
    drawView(canvas, painted, this.view, outline ? this.data.outline : [], lineWidth);
    drawRegions(canvas, this.view, this.data.regions[scale], this.settings, lineWidth);
  }

  outlinesRegions() {
    return this.settings.contours || this.settings.boxes;
  }

  toldRegions() {
    return this.data.regions[this.settings.scale].map(({ words }) => words);
  }

  /** Tells the hot regions in words, to who sees their outlines and always to who sees no picture. */
  showRegions() {
    const told = this.find(".told");
    const words = this.toldRegions();
    told.hidden = !this.data.regions.relative.length;
    told.classList.toggle("unseen", !this.outlinesRegions());
    told.firstElementChild.textContent = this.data.regionsNote[words.length ? this.settings.scale : "none"];
    told.lastElementChild.replaceChildren(
      ...words.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
    );
  }

  tint() {
    return tinted(this.tables[this.settings.colours], this.settings.opacity / 100);
  }

  showLegend() {
    const { cold, hot } = this.data.scales[this.settings.scale];
    paintLegend(this.find(".legend canvas"), this.tint());
    this.find(".cold").textContent = cold;
    this.find(".hot").textContent = hot;
    this.find(".legend").setAttribute("aria-label", this.data.said.legend.replace("{cold}", cold).replace("{hot}", hot));
  }
}
