/* The picture of one cell: zoom, pan, brightness and contrast, a map laid over it, and a measuring
   scale where the file said how large a pixel is. Until the viewer is loaded the plain picture
   stands there, and it stays underneath, so that a picture is there at once. */

// OpenSeadragon looks for its style element and makes none where it is: the content security policy
// allows none. This one is of no language, and styles nothing.
const mark = document.createElementNS("urn:none", "style");
mark.setAttribute("data-openseadragon-mobile-css", "true");
document.head.append(mark);

const MOST_FIT = 4; // small pictures are not blown up further than this by themselves
const STEP = 1.5;
const WIDEST_BAR = 140; // pixels
const TONES = { brightness: 100, contrast: 100 };

export class Viewer {
  constructor(frame, picture) {
    Object.assign(this, { frame, picture, overlay: null, micrometres: null });
    this.tones = { ...TONES };
    this.restoreTones();
    for (const slider of document.querySelectorAll("[data-tone]")) {
      slider.value = this.tones[slider.dataset.tone];
      slider.addEventListener("input", () => this.setTone(slider.dataset.tone, Number(slider.value)));
    }
    document.querySelector("[data-tone-reset]").addEventListener("click", () => this.resetTones());
    document.querySelector("[data-pixels]").addEventListener("change", () => this.smooth());
    this.paint();
    if (document.readyState === "complete") this.start();
    else addEventListener("load", () => this.start(), { once: true });
  }

  start() {
    if (!globalThis.OpenSeadragon) return; // the plain picture is what there is
    this.viewer = globalThis.OpenSeadragon({
      element: this.frame,
      drawer: "canvas",
      showNavigationControl: false,
      animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.2,
      maxZoomPixelRatio: 24,
      minZoomImageRatio: 0.5,
      visibilityRatio: 0.2,
      tabIndex: -1,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true, flickEnabled: false },
      silenceMultiImageWarnings: true,
    });
    // the keys are the room's
    this.viewer.addHandler("canvas-key", (event) => {
      event.preventDefaultAction = true;
    });
    this.viewer.addHandler("open", () => this.opened());
    this.viewer.addHandler("after-resize", () => {
      if (!this.touched && !this.fitting) this.fit();
    });
    for (const change of ["canvas-scroll", "canvas-drag", "canvas-pinch", "canvas-double-click"]) {
      this.viewer.addHandler(change, () => {
        this.touched = true;
      });
    }
    for (const change of ["animation", "resize", "update-viewport"]) this.viewer.addHandler(change, () => this.measure());
    if (this.wanted) this.show(this.wanted);
  }

  /* Show a picture {url, width, height, name, micrometres, words}. */
  show(wanted) {
    this.wanted = wanted;
    this.touched = false;
    this.micrometres = wanted.micrometres ?? null;
    Object.assign(this.picture, { width: wanted.width, height: wanted.height, alt: wanted.words });
    if (this.picture.getAttribute("src") !== wanted.url) this.picture.setAttribute("src", wanted.url);
    this.frame.classList.remove("viewing");
    if (!this.viewer || this.frame.clientWidth === 0) {
      this.measure();
      return;
    }
    this.viewer.open({ type: "image", url: wanted.url, buildPyramid: false });
  }

  opened() {
    this.frame.classList.add("viewing");
    this.fit();
    this.smooth();
    this.paint();
    this.lay();
    this.measure();
  }

  get isOpen() {
    return Boolean(this.viewer?.isOpen());
  }

  fit() {
    if (!this.isOpen) return;
    const { viewport, world } = this.viewer;
    this.touched = false;
    // The viewer may have been made while its frame was hidden, and hears of its size only later.
    this.fitting = true;
    viewport.resize(new globalThis.OpenSeadragon.Point(this.frame.clientWidth, this.frame.clientHeight));
    this.fitting = false;
    viewport.goHome(true);
    const most = viewport.imageToViewportZoom(MOST_FIT);
    if (viewport.getHomeZoom() > most) viewport.zoomTo(most, null, true);
    if (world.getItemCount()) viewport.panTo(world.getHomeBounds().getCenter(), true);
    viewport.applyConstraints(true);
  }

  zoom(larger) {
    if (!this.isOpen) return;
    this.touched = true;
    this.viewer.viewport.zoomBy(larger ? STEP : 1 / STEP);
    this.viewer.viewport.applyConstraints();
  }

  pan(x, y) {
    if (!this.isOpen) return;
    const { viewport } = this.viewer;
    this.touched = true;
    viewport.panBy(viewport.deltaPointsFromPixels(new globalThis.OpenSeadragon.Point(x, y)));
    viewport.applyConstraints();
  }

  /* Lay a canvas over the whole picture, or take it away with null. */
  cover(canvas) {
    if (this.overlay && this.overlay !== canvas) {
      this.viewer?.removeOverlay(this.overlay);
      this.overlay.remove();
    }
    this.overlay = canvas;
    this.lay();
  }

  lay() {
    if (!this.overlay || !this.isOpen) return;
    this.viewer.removeOverlay(this.overlay);
    this.viewer.addOverlay({ element: this.overlay, location: this.viewer.world.getItemAt(0).getBounds() });
  }

  smooth() {
    const hard = document.querySelector("[data-pixels]").checked;
    this.viewer?.drawer.setImageSmoothingEnabled(!hard);
    this.picture.classList.toggle("hard-pixels", hard);
    if (this.isOpen) this.viewer.forceRedraw();
  }

  // ── Brightness and contrast, kept from cell to cell in this tab ──────────────────────────────

  setTone(name, value) {
    this.tones[name] = value;
    try {
      sessionStorage.setItem("tones", JSON.stringify(this.tones));
    } catch {
      // forbidden: it holds for this page
    }
    this.paint();
  }

  restoreTones() {
    try {
      Object.assign(this.tones, JSON.parse(sessionStorage.getItem("tones")) ?? {});
    } catch {
      // forbidden, or not ours
    }
  }

  resetTones() {
    for (const slider of document.querySelectorAll("[data-tone]")) {
      slider.value = TONES[slider.dataset.tone];
      this.setTone(slider.dataset.tone, TONES[slider.dataset.tone]);
    }
  }

  paint() {
    const { brightness, contrast } = this.tones;
    const changed = brightness !== TONES.brightness || contrast !== TONES.contrast;
    const filter = changed ? `brightness(${brightness}%) contrast(${contrast}%)` : "";
    this.picture.style.filter = filter;
    if (this.viewer?.drawer?.canvas) this.viewer.drawer.canvas.style.filter = filter;
  }

  // ── The measuring scale ─────────────────────────────────────────────────────────────────────

  measure() {
    const place = document.querySelector("[data-scale]");
    place.hidden = !this.micrometres || !this.isOpen;
    if (place.hidden) return;
    const { viewport } = this.viewer;
    const onePixel = this.micrometres / viewport.viewportToImageZoom(viewport.getZoom(true));
    const length = roundLength(onePixel * WIDEST_BAR);
    place.querySelector("[data-scale-bar]").style.width = `${length / onePixel}px`;
    place.querySelector("[data-scale-words]").textContent = `${Number(length.toPrecision(3))} µm`;
  }
}

/* The largest of 1, 2 and 5 times a power of ten that is not longer. */
export function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(longest));
  return power * [5, 2, 1].find((times) => times * power <= longest);
}
