// What the pages do better with a script: several files with their progress, a player, an order that is
// dragged, and forms that keep what was typed. Without it every part of them is a plain form.

const say = (text) => { document.getElementById('said').textContent = text; };
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
const fresh = (html) => {
  const box = document.createElement('template');
  box.innerHTML = html;
  return box.content.firstElementChild;
};

const UNDONE = 'The server did not do that. Load the page again and try once more.';
const LOGGED_OUT = 401;

/** What the server answers; where it says nothing, or that nobody is logged in, an error with a sentence. */
async function reach(path, options) {
  const headers = { accept: 'application/json' };
  const answer = await fetch(path, { headers, ...options }).catch(() => {
    throw new Error('The server does not answer. Try once more in a moment.');
  });
  if (answer.status === LOGGED_OUT) throw new Error(await answer.text(), { cause: LOGGED_OUT });
  return answer;
}

/** Asks the server; what it refuses is an error with a sentence. */
async function ask(path, fields) {
  // What is done is done even if the page is left at once.
  const options = fields && { method: 'POST', body: new URLSearchParams(fields), keepalive: true };
  const answer = await reach(path, options);
  if (!answer.ok) throw new Error(UNDONE);
  return answer;
}

/** Sends a form; the page that it leads to, and its address. What is refused is an error with its sentence. */
async function post(form, button) {
  const fields = new FormData(form);
  if (button?.name) fields.append(button.name, button.value);
  const isPlain = form.enctype !== 'multipart/form-data';
  const answer = await reach(form.action, { method: 'POST', body: isPlain ? new URLSearchParams(fields) : fields });
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  if (answer.ok) return { page, address: answer.url };
  const why = page.querySelector('main > .problem') ?? page.querySelector('main > p');
  throw new Error(why?.textContent || UNDONE);
}

/** Says what was wrong with a form, right behind it. */
function complain(form, why) {
  form.parentElement.querySelector(':scope > .problem')?.remove();
  const line = fresh('<p class="problem" role="alert"></p>');
  line.textContent = why;
  form.after(line);
}

/** Has the browser ask before the page is left. */
function stay(event) {
  event.preventDefault();
  event.returnValue = true;
}

/** A sound with a button and a picture that can be clicked, in place of the browser's own player. */
class Player extends HTMLElement {
  connectedCallback() {
    this.audio = this.querySelector('audio');
    this.button = this.querySelector('.play');
    this.slider = this.querySelector('[type=range]');
    this.shown = this.querySelector('.time');
    this.length = this.shown.textContent;
    this.button.hidden = false;
    this.button.onclick = () => this.toggle();
    this.audio.onplay = () => this.turn(true);
    this.audio.onpause = () => this.turn(false);
    this.audio.onended = () => { this.audio.currentTime = 0; };
    this.audio.ontimeupdate = () => this.follow();
    this.audio.onerror = () => say(`${this.dataset.name} cannot be played. Load the page again.`);
    if (this.slider) {
      this.slider.hidden = false;
      this.slider.setAttribute('aria-valuetext', `0:00 of ${this.length}`);
      this.slider.oninput = () => this.jump(Number(this.slider.value));
    }
  }

  disconnectedCallback() {
    this.audio.pause();
  }

  toggle() {
    if (!this.audio.paused) return this.audio.pause();
    for (const other of document.querySelectorAll('audio')) if (other !== this.audio) other.pause();
    return this.audio.play().catch(() => {});
  }

  turn(isPlaying) {
    this.classList.toggle('playing', isPlaying);
    this.button.setAttribute('aria-label', `${isPlaying ? 'Pause' : 'Play'} ${this.dataset.name}`);
  }

  jump(second) {
    // Before its beginning is here, the browser does not know where a second is.
    if (this.audio.readyState === 0) {
      this.audio.onloadedmetadata = () => { this.audio.currentTime = second; };
      this.audio.preload = 'metadata';
      this.audio.load();
    } else {
      this.audio.currentTime = second;
    }
  }

  follow() {
    const at = this.audio.currentTime;
    const whole = this.audio.duration || Number(this.dataset.seconds) || 1;
    this.shown.textContent = at > 0 ? clock(at) : this.length;
    this.style.setProperty('--at', `${(100 * at) / whole}%`);
    if (!this.slider) return;
    this.slider.value = at;
    this.slider.setAttribute('aria-valuetext', `${clock(at)} of ${this.length}`);
  }
}

/** Files that are dropped or chosen, sent one after the other. */
class Upload extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector('form');
    this.arriving = this.querySelector('.arriving');
    this.waiting = [];
    const input = this.querySelector('[type=file]');
    input.required = false;
    input.onchange = () => {
      this.take(input.files);
      input.value = '';
    };
    const over = (isOver) => (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      this.classList.toggle('over', isOver);
    };
    this.addEventListener('dragover', over(true));
    this.addEventListener('dragleave', over(false));
    this.addEventListener('drop', (event) => {
      over(false)(event);
      this.take(event.dataTransfer.files);
    });
    // What misses the field is not to take the page's place.
    for (const name of ['dragover', 'drop']) addEventListener(name, (event) => event.preventDefault());
  }

  take(files) {
    const taken = [];
    for (const file of files) {
      const line = fresh('<li><span class="name"></span><span class="soft small sent">Waits</span><progress max="100" value="0"></progress></li>');
      line.querySelector('.name').textContent = file.name;
      line.querySelector('progress').setAttribute('aria-label', `Sending ${file.name}`);
      this.arriving.append(line);
      const most = Number(this.dataset.mib);
      if (file.size <= most * 2 ** 20) taken.push({ file, line });
      else this.refuse(file, line, `It is larger than ${most} MiB; send a shorter one, or an MP3.`);
    }
    if (!taken.length) return;
    // How much of them has gone is seen, and read by who looks for it; said aloud, it would never end.
    say(taken.length === 1 ? `${taken[0].file.name} is being sent.` : `${taken.length} files are being sent.`);
    this.waiting.push(...taken);
    if (!this.busy) this.next();
  }

  async next() {
    addEventListener('beforeunload', stay);
    for (this.busy = true; this.waiting.length;) {
      const { file, line } = this.waiting.shift();
      try {
        const { tracks } = await this.send(file, line);
        line.remove();
        await document.querySelector('music-list').add(tracks);
        say(`${file.name} is here and is being prepared.`);
      } catch (error) {
        this.refuse(file, line, error.message);
      }
    }
    removeEventListener('beforeunload', stay);
    this.busy = false;
  }

  /** Only this kind of request tells how much of it has gone. */
  send(file, line) {
    const request = new XMLHttpRequest();
    const [sent, progress] = [line.querySelector('.sent'), line.querySelector('progress')];
    const done = new Promise((resolve, reject) => {
      request.upload.onprogress = ({ loaded, total }) => {
        progress.value = (100 * loaded) / total;
        sent.textContent = loaded < total ? `Sent ${Math.floor(progress.value)} %` : 'Sent; one moment …';
      };
      request.onload = () => {
        if (request.status === 201) return resolve(JSON.parse(request.responseText));
        const plain = request.getResponseHeader('content-type')?.startsWith('text/plain');
        return reject(new Error(plain ? request.responseText : 'The server did not take it. Load the page again.'));
      };
      request.onerror = () => reject(new Error('The way to the server was cut. Send it once more.'));
    });
    const body = new FormData();
    body.append('token', this.form.token.value);
    body.append('file', file);
    request.open('POST', this.form.action);
    request.setRequestHeader('accept', 'application/json');
    request.send(body);
    return done;
  }

  refuse(file, line, why) {
    for (const part of ['progress', '.sent']) line.querySelector(part).remove();
    const text = fresh('<span class="wrong small" role="alert"></span>');
    const button = fresh('<button type="button">Dismiss</button>');
    text.textContent = why;
    button.setAttribute('aria-label', `Dismiss ${file.name}`);
    button.onclick = () => line.remove();
    line.append(text, button);
  }
}

/** How soon the server is asked again how things are: once it has answered, and at the latest, in milliseconds. */
const [SOON, LATE] = [1_000, 15_000];

/** The tracks: watched while one is being prepared, and put in order; and the forms of their class. */
class List extends HTMLElement {
  connectedCallback() {
    this.tracks = this.querySelector('.tracks');
    this.path = `/music/${this.dataset.class}`;
    this.addEventListener('submit', (event) => {
      if (!event.target.action.endsWith('/move')) return;
      event.preventDefault();
      const row = event.target.closest('.track');
      const isUp = event.submitter.value === 'up';
      this.step(row, isUp);
      const same = isUp ? row.previousElementSibling : row.nextElementSibling;
      // At the end of the list this button hides; the other one is where the hand is.
      if (same) event.submitter.focus();
      else row.querySelector(`[value=${isUp ? 'down' : 'up'}]`).focus();
    });
    this.addEventListener('keydown', (event) => {
      const isUp = event.key === 'ArrowUp';
      if (!event.target.closest('.handle') || !(isUp || event.key === 'ArrowDown')) return;
      event.preventDefault();
      this.step(event.target.closest('.track'), isUp);
      event.target.closest('.handle').focus();
    });
    this.addEventListener('pointerdown', (event) => {
      const handle = event.target.closest('.handle');
      if (handle && event.button === 0) this.drag(handle, event);
    });
    document.addEventListener('submit', (event) => {
      const { target: form, submitter } = event;
      if (event.defaultPrevented || !form.closest('section') || form.closest('music-upload')) return;
      event.preventDefault();
      this.send(form, submitter);
    });
    this.watch();
  }

  /** Sends a form and stays here, with all that was typed, if it is refused, or while files are on their way. */
  async send(form, button) {
    if (form.dataset.sent) return;
    form.dataset.sent = 'yes';
    try {
      const { page, address } = await post(form, button);
      if (document.querySelector('music-upload').busy) this.renew(page, form, button);
      else location.assign(address);
    } catch (error) {
      complain(form, error.message);
    } finally {
      delete form.dataset.sent;
    }
  }

  /** Puts what a form has changed in the place of what is shown, and leaves the hand where it was. */
  renew(page, form, button) {
    const row = form.closest('.track');
    const part = row ?? form.closest('section');
    const same = row ? `#${row.id}` : `[aria-labelledby=${part.getAttribute('aria-labelledby')}]`;
    const beside = row?.nextElementSibling ?? row?.previousElementSibling;
    const buttons = [...part.querySelectorAll('button')];
    for (const place of ['.classes', '#summary', same]) {
      const made = page.querySelector(place);
      document.querySelector(place)?.replaceWith(...(made ? [document.importNode(made, true)] : []));
    }
    const now = document.querySelector(same);
    const told = page.querySelector('.notice')?.textContent ?? 'Done.';
    if (row) {
      (now ?? beside)?.querySelector('[popovertarget]').focus();
    } else {
      [...now.querySelectorAll('button')].at(buttons.indexOf(button) - buttons.length)?.focus();
      const line = fresh('<p class="notice"></p>');
      line.textContent = told;
      now.append(line);
    }
    say(told);
    this.watch();
  }

  step(row, isUp) {
    const other = isUp ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return;
    if (isUp) other.before(row);
    else other.after(row);
    this.keep(row);
  }

  drag(handle, { pointerId }) {
    const row = handle.closest('.track');
    const before = [...this.tracks.children];
    row.classList.add('moving');
    handle.setPointerCapture(pointerId);
    handle.onpointermove = ({ clientY }) => {
      const others = [...this.tracks.children].filter((it) => it !== row);
      const next = others.find((it) => {
        const { top, height } = it.getBoundingClientRect();
        return clientY < top + height / 2;
      });
      if (next !== row.nextElementSibling) {
        this.tracks.insertBefore(row, next ?? null);
        handle.setPointerCapture(pointerId);
      }
    };
    handle.onlostpointercapture = ({ buttons }) => {
      if (buttons) return;
      handle.onpointermove = handle.onlostpointercapture = null;
      row.classList.remove('moving');
      if (before.some((it, at) => it !== this.tracks.children[at])) this.keep(row);
    };
  }

  async keep(row) {
    const rows = [...this.tracks.children];
    const fields = [['token', this.dataset.token], ...rows.map((it) => ['track', it.dataset.id])];
    try {
      await ask(`${this.path}/order`, fields);
      say(`${row.dataset.name} is number ${rows.indexOf(row) + 1} of ${rows.length}.`);
    } catch (error) {
      say(error.message);
    }
  }

  async add(ids) {
    for (const id of ids) this.tracks.append(await this.row(id));
    this.watch();
  }

  async row(id) {
    return fresh(await (await ask(`${this.path}/tracks/${id}`)).text());
  }

  /** Looks every second, for as long as a track is being prepared or there is a live stream; where nothing is
   *  answered, less and less often. */
  async watch() {
    if (this.watching) return;
    const isOver = () => document.getElementById('stream').hidden && !this.querySelector('[data-state=waiting]');
    let pause = SOON;
    for (this.watching = true; !isOver();) {
      await new Promise((resolve) => { setTimeout(resolve, pause); });
      try {
        await this.look();
        pause = SOON;
        this.doubt('');
      } catch (error) {
        pause = Math.min(2 * pause, LATE);
        const why = error.cause === LOGGED_OUT ? error.message : 'The server does not answer; it is asked again.';
        this.doubt(`${why} What is shown here may be old.`);
      }
    }
    this.watching = false;
  }

  async look() {
    const { tracks, summary, stream } = await (await ask(`${this.path}/state`)).json();
    document.getElementById('summary').textContent = summary;
    document.querySelector('[aria-current] .count').firstChild.nodeValue = tracks.length;
    if (stream) this.tell(stream);
    for (const it of tracks) await this.show(it);
  }

  /** How the live stream is. */
  tell({ state, sentence }) {
    const stream = document.getElementById('stream');
    const told = stream.querySelector('.sentence');
    stream.className = `stream ${state}`;
    if (told.textContent !== sentence) told.textContent = sentence;
  }

  /** Why what is shown may not be so any more; nothing if it is. */
  doubt(why) {
    const stale = this.querySelector('.stale');
    if (stale.textContent === why) return;
    stale.textContent = why;
    stale.hidden = !why;
    say(why || 'The server answers again.');
    if (why) this.tell({ state: 'still', sentence: 'How it is, is not known at the moment.' });
  }

  async show({ id, state, percent }) {
    const row = document.getElementById(`track-${id}`);
    if (!row || row.dataset.state !== 'waiting') return;
    if (state === 'waiting') {
      row.querySelector('progress').value = percent;
      row.querySelector('.percent').textContent = percent;
      return;
    }
    const made = await this.row(id);
    // The rest is the same, and somebody may be typing in it.
    row.querySelector('.player').replaceWith(made.querySelector('.player'));
    row.classList.replace('waiting', made.dataset.state);
    row.dataset.state = made.dataset.state;
    say(state === 'ready' ? `Callers hear ${row.dataset.name} now.` : `${row.dataset.name} cannot be used.`);
  }
}

customElements.define('music-player', Player);
customElements.define('music-upload', Upload);
customElements.define('music-list', List);
