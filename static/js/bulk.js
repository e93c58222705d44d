// Hundreds of photos: they travel a few at a time, are stored at once, and one job looks for their faces.

const PHOTOS = 8;
const BYTES = 24 * 1024 * 1024;
const AT_ONCE = 2;
const TRIES = 6;
const PAUSE_MS = 1000;
const NAMES = /\.(jpe?g|jpe|jfif|png|webp|gif|tiff?|bmp|hei[cf]|avif)$/i;

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const passing = (status) => status === 0 || status === 429 || status >= 502;

/** The next photos that go together; always one, however large. */
function batch(waiting, most) {
  const taken = [];
  for (let bytes = 0; waiting.length && taken.length < PHOTOS; ) {
    bytes += waiting[0].file.size;
    if (taken.length && bytes > most) break;
    taken.push(waiting.shift());
  }
  return taken;
}

function post(form, token, photos, job, onSent) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("later", "1");
    if (job) body.append("job", job.match(/\d+/)[0]);
    for (const { file, path } of photos) body.append("file", file, path);
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", token);
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onloadend = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* no answer, or a proxy's own page */ }
      resolve({ status: request.status, answer });
    };
    request.send(body);
  });
}

/** A bulk upload. `state` is told of all changes by `onChange`. */
export class Bulk {
  constructor(form, token, onChange) {
    // The server takes so many of the largest at once, and a proxy before it likely less.
    this.most = Math.min(BYTES, PHOTOS * form.dataset.maxMb * 1024 * 1024);
    Object.assign(this, { form, token, onChange, waiting: [], sending: new Set(), job: null, running: 0 });
    this.state = { total: 0, stored: 0, known: 0, refused: [], bytes: 0, sent: 0, broken: false, flying: 0, started: 0, over: false };
  }

  add(photos) {
    const { state, form } = this;
    if (!this.running) Object.assign(state, { started: Date.now(), bytes: 0, sent: 0 });
    for (const photo of photos) {
      state.total += 1;
      if (!photo.file.type.startsWith("image/") && !NAMES.test(photo.path)) this.refuse(photo, "Not a photo.");
      else if (photo.file.size > form.dataset.maxMb * 1024 * 1024) this.refuse(photo, form.dataset.tooLarge);
      else { this.waiting.push(photo); state.bytes += photo.file.size; }
    }
    state.over = false;
    this.go();
  }

  refuse(photo, why) {
    this.state.refused.push({ name: photo.path, why });
  }

  /** Until there is a job to add to, one request at a time: two would make two. */
  go() {
    while (this.waiting.length && this.running < (this.job ? AT_ONCE : 1)) {
      this.running += 1;
      this.send(batch(this.waiting, this.most)).then(() => { this.running -= 1; this.go(); });
    }
    this.state.over = !this.running;
    this.onChange(this.state);
  }

  async send(photos) {
    const { state } = this;
    const size = photos.reduce((sum, { file }) => sum + file.size, 0);
    const flight = { sent: 0 };
    this.sending.add(flight);
    let reply = { status: 0 };
    for (let tries = 1; passing(reply.status) && tries <= TRIES; tries += 1) {
      reply = await post(this.form, this.token, photos, this.job, (sent) => { flight.sent = Math.min(sent, size); this.tell(); });
      flight.sent = 0;
      state.broken = passing(reply.status);
      this.tell();
      if (state.broken && tries < TRIES) await pause(PAUSE_MS * 2 ** (tries - 1));
    }
    this.sending.delete(flight);
    if (reply.status === 202) this.took(reply.answer);
    else if (photos.length > 1 && !passing(reply.status)) for (const photo of photos) await this.send([photo]);
    else for (const photo of photos) this.refuse(photo, reply.answer.message ?? "The connection broke. Please send it again.");
    if (reply.status === 202 || photos.length === 1 || passing(reply.status)) state.sent += size;
  }

  took({ job_url: job, photo_ids: ids, known, refused }) {
    this.job = job ?? this.job;
    this.state.stored += ids.length;
    this.state.known += known.length;
    this.state.refused.push(...refused.map(({ file, message }) => ({ name: file, why: message })));
  }

  /** Bytes on their way count in part. */
  tell() {
    this.state.flying = [...this.sending].reduce((sum, { sent }) => sum + sent, 0);
    this.onChange(this.state);
  }
}
