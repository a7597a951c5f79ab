// Which part of the film is on the screen, and the hand that moves it.

const MAX_ZOOM = 8;
const ZOOM_STEP = 1.25;
const MOVE_STEP = 0.1;
// One notch of a wheel, about 100 px, is one step of the buttons.
const WHEEL_STEP = Math.log(ZOOM_STEP) / 100;

/** Zoom, and the place of the film in the middle of the stage; all places are shares of width and height. */
class View {
  constructor() {
    this.reset();
  }

  reset() {
    Object.assign(this, { zoom: 1, x: 0.5, y: 0.5 });
  }

  /** Zooms so that what lies under (x, y) of the stage stays there. */
  zoomBy(factor, x = 0.5, y = 0.5) {
    const zoom = Math.min(MAX_ZOOM, Math.max(1, this.zoom * factor));
    this.x += (x - 0.5) * (1 / this.zoom - 1 / zoom);
    this.y += (y - 0.5) * (1 / this.zoom - 1 / zoom);
    this.zoom = zoom;
    this.moveBy(0, 0);
  }

  /** Drags the film by shares of the stage, and keeps the stage full. */
  moveBy(x, y) {
    const edge = 0.5 / this.zoom;
    this.x = Math.min(1 - edge, Math.max(edge, this.x - x / this.zoom));
    this.y = Math.min(1 - edge, Math.max(edge, this.y - y / this.zoom));
  }
}

/**
 * Lets mouse, fingers and keys on a stage change the view.
 *
 * `on.moved()` follows each change of the view, `on.windowed(x, y)` each drag, in pixels, that is meant for the window;
 * `on.dragsWindow()` says whether a plain drag is.
 */
function listen(stage, view, on, signal) {
  const fingers = new Map();

  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  const add = (type, act, options = {}) => stage.addEventListener(type, act, { signal, ...options });

  add("pointerdown", (event) => {
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    stage.setPointerCapture(event.pointerId);
  });
  add("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const box = stage.getBoundingClientRect();
    const [x, y] = [event.clientX - before.x, event.clientY - before.y];
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (other) {
      const apart = (finger) => Math.hypot(finger.x - other.x, finger.y - other.y);
      const [from, to] = [apart(before), apart({ x: event.clientX, y: event.clientY })];
      const middle = place({ clientX: (event.clientX + other.x) / 2, clientY: (event.clientY + other.y) / 2 });
      if (from > 0) view.zoomBy(to / from, middle.x, middle.y);
      view.moveBy(x / 2 / box.width, y / 2 / box.height);
      on.moved();
    } else if (event.buttons === 2 || on.dragsWindow()) {
      on.windowed(x, y);
    } else {
      view.moveBy(x / box.width, y / box.height);
      on.moved();
    }
  });
  for (const type of ["pointerup", "pointercancel"]) add(type, (event) => fingers.delete(event.pointerId));
  add("contextmenu", (event) => event.preventDefault());
  // Two fingers are the picture's even where one scrolls the page.
  add("touchmove", (event) => event.touches.length > 1 && event.cancelable && event.preventDefault(), {
    passive: false,
  });

  // The wheel alone scrolls the page, over the picture as beside it; a trackpad's pinch comes with the control key.
  add(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : 33);
      const { x, y } = place(event);
      view.zoomBy(Math.exp(-pixels * WHEEL_STEP), x, y);
      on.moved();
    },
    { passive: false },
  );

  const arrows = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  add("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") view.zoomBy(ZOOM_STEP);
    else if (event.key === "-") view.zoomBy(1 / ZOOM_STEP);
    else if (event.key === "0") view.reset();
    else if (event.key in arrows && view.zoom > 1) view.moveBy(...arrows[event.key].map((step) => step * MOVE_STEP));
    else return;
    event.preventDefault();
    event.stopPropagation();
    on.moved();
  });
}
