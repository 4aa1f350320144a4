/* A reader's findings on the cells of one case: known at once, saved behind, in their order.

   Nothing here touches the page. What is not saved yet, and what can be undone, also lies in the
   tab's session storage: it outlives a reload and the way from page to page of the case. Sending
   twice does no harm: every decision names the finding that it replaces, so the server refuses
   the second as stale, and shows the finding that was wanted. */

import { pause, send } from "./api.js";

const BATCH = 100; // decisions in one request
const PAUSES = [1000, 2000, 4000, 8000, 15000]; // milliseconds between attempts; the last for ever
const PATIENCE = 20_000; // milliseconds
const STORED = 5000; // changes that can be undone after a reload; without one, all of them
const NONE = Object.freeze({ cell_class: "", exclusion: "" });

const same = (one, other) => one.cell_class === other.cell_class && one.exclusion === other.exclusion;
/* The last steps, as many as together make no more changes than that. */
function newest(steps, most) {
  let room = most;
  const tooMany = steps.findLastIndex((step) => (room -= step.length) < 0);
  return steps.slice(tooMany + 1);
}

const words = ({ cell_class, exclusion }) => ({ cell_class, exclusion });

export class Findings {
  /* `standing` maps an image's id to the finding {id, cell_class, exclusion} that the page came
     with. `changed(images)` is called when findings changed other than by `decide`, `saving({state,
     count, sentence})` when the state of saving did, `saved(progress)` after an answer. */
  constructor({ url, key, standing, changed, saving, saved = () => {} }) {
    Object.assign(this, { url, key, standing, changed, saving, saved });
    this.queue = [];
    this.past = [];
    this.settled = [];
    this.progress = null;
    this.state = "saved";
    this.sending = false;
    this.limit = BATCH;
    this.wake = null;
    this.restore();
    addEventListener("online", () => this.resume());
    addEventListener("focus", () => this.resume()); // perhaps after a new log-in in another tab
  }

  /* What the reader says now, saved or not. */
  of(image) {
    const waiting = this.queue.findLast((decision) => decision.image === image);
    return words(waiting ?? this.standing.get(image) ?? NONE);
  }

  get unsaved() {
    return this.queue.length;
  }

  /* Each change is {image, cell_class, exclusion}; those that say nothing new are left out. */
  decide(changes) {
    const made = this.add(changes);
    if (made.length) {
      this.past.push(made);
      this.keep();
      this.resume();
    }
    return made.map(({ image }) => image);
  }

  /* Take the last step back; `image`: only if it was about this image alone. Returns the images
     whose finding changed, or null where there is nothing to take back here. */
  undo(image = null) {
    const step = this.past.at(-1);
    if (!step || (image && step.some((change) => change.image !== image))) return null;
    this.past.pop();
    const untouched = step.filter((change) => same(this.of(change.image), change.after));
    const made = this.add(untouched.map((change) => ({ image: change.image, ...change.before })));
    this.keep();
    this.resume();
    return made.map((change) => change.image);
  }

  add(changes) {
    const made = [];
    for (const { image, cell_class = "", exclusion = "" } of changes) {
      const [before, after] = [this.of(image), { cell_class, exclusion }];
      if (same(before, after)) continue;
      const follows = this.queue.some((decision) => decision.image === image);
      const decision = { image, ...after };
      // What follows a decision not yet saved learns from its answer what it replaces.
      if (!follows) decision.replaces = this.standing.get(image)?.id ?? null;
      this.queue.push(decision);
      made.push({ image, before, after });
    }
    return made;
  }

  resume() {
    this.wake?.();
    if (this.sending) this.tell(this.state);
    else if (this.queue.length) this.send();
  }

  async send() {
    this.sending = true;
    let failures = 0;
    while (this.queue.length) {
      const batch = this.nextBatch();
      if (!failures) this.tell("saving");
      const answer = await this.post(batch);
      if (answer.ok) {
        failures = 0;
        this.limit = BATCH;
        this.settle(batch, answer.data);
      } else if (answer.status === 409 && Array.isArray(answer.data?.findings)) {
        failures = 0;
        if (!this.meet(batch, answer)) return this.stop("refused", answer.sentence);
      } else if (answer.status === 400 && batch.length > 1) {
        this.limit = 1; // one of them is refused: find out which
      } else if (answer.status === 400) {
        this.refuse(batch[0], answer.sentence);
      } else if (answer.status === 0 || answer.status === 429 || answer.status >= 500) {
        this.tell(answer.status === 0 ? "offline" : "failing");
        await this.wait(PAUSES[Math.min(failures, PAUSES.length - 1)]);
        failures += 1;
      } else {
        return this.stop(answer.status === 401 ? "logged-off" : "refused", answer.sentence);
      }
    }
    this.sending = false;
    this.tell("saved");
    return null;
  }

  /* An answer that does not come is no connection: asking again does no harm. */
  post(batch) {
    const answer = send("POST", this.url, { decisions: batch }, { retry: false });
    const silence = pause(PATIENCE).then(() => ({ ok: false, status: 0, data: null, sentence: "" }));
    return Promise.race([answer, silence]);
  }

  /* The first decisions of the queue with each image once: an answer speaks of an image once. */
  nextBatch() {
    const images = new Set();
    const batch = [];
    for (const decision of this.queue.slice(0, this.limit)) {
      if (images.has(decision.image)) break;
      images.add(decision.image);
      batch.push(decision);
    }
    return batch;
  }

  settle(batch, { findings, progress }) {
    const made = new Map(findings.map((finding) => [finding.image, finding]));
    this.queue.splice(0, batch.length);
    const at = performance.timeOrigin + performance.now();
    for (const { image, replaces } of batch) {
      const finding = made.get(image);
      this.stands(image, finding);
      this.settled.push({ image, replaces, finding, at });
    }
    this.settled = this.settled.slice(-BATCH);
    this.progress = progress;
    this.keep();
    this.saved(this.progress);
  }

  /* A decision was stale. Perhaps its own answer was lost; perhaps another tab was quicker, and
     then what that tab said stands. Says whether that explained the refusal. */
  meet(batch, { data, sentence }) {
    const standing = new Map(data.findings.map((finding) => [finding.image, finding]));
    const conflicts = [];
    let explained = false;
    for (const decision of batch) {
      const stands = standing.get(decision.image);
      if (same(decision, words(stands ?? NONE))) {
        this.queue.splice(this.queue.indexOf(decision), 1);
      } else if ((stands?.id ?? null) === decision.replaces) {
        continue;
      } else {
        this.drop(decision.image);
        conflicts.push(decision.image);
      }
      this.stands(decision.image, stands);
      explained = true;
    }
    this.keep();
    if (conflicts.length) this.changed(conflicts, sentence);
    return explained;
  }

  refuse({ image }, sentence) {
    this.drop(image);
    this.keep();
    this.changed([image], sentence);
  }

  stands(image, finding) {
    if (finding) this.standing.set(image, { id: finding.id, ...words(finding) });
    else this.standing.delete(image);
    const next = this.queue.find((decision) => decision.image === image);
    if (next) next.replaces = finding?.id ?? null;
  }

  drop(image) {
    this.queue = this.queue.filter((decision) => decision.image !== image);
    this.past = this.past
      .map((step) => step.filter((change) => change.image !== image))
      .filter((step) => step.length);
  }

  stop(state, sentence) {
    this.sending = false;
    this.tell(state, sentence);
    return null;
  }

  tell(state, sentence = "") {
    this.state = state;
    this.saving({ state, sentence, count: this.queue.length });
  }

  async wait(milliseconds) {
    await new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, milliseconds);
    });
    this.wake = null;
  }

  keep() {
    const { queue, settled, progress } = this;
    const past = newest(this.past, STORED);
    try {
      sessionStorage.setItem(this.key, JSON.stringify({ queue, past, settled, progress }));
    } catch {
      // Storage is full or forbidden: the page still knows, and asks before it is left.
    }
  }

  restore() {
    try {
      Object.assign(this, JSON.parse(sessionStorage.getItem(this.key)) ?? {});
    } catch {
      return; // forbidden, or not ours
    }
    this.catchUp();
  }

  /* This page may have been written while the page before it was still saving: what was settled
     since the way here began is newer than what came with it. */
  catchUp() {
    const since = this.settled.filter(({ at }) => at >= performance.timeOrigin);
    for (const { image, replaces, finding } of since) {
      if ((this.standing.get(image)?.id ?? null) === replaces) this.stands(image, finding);
    }
    if (since.length) queueMicrotask(() => this.saved(this.progress));
  }
}
