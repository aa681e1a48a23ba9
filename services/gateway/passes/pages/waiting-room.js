/*
 * The waiting room: takes a place in a line, shows where it stands, and goes on when it is
 * served. What is true is what the queue service says; the page remembers who waits and
 * the pass, so that a refresh or a second tab has the same place.
 *
 *   ask ──answer──> state ──> show        ask: POST /queue/tokens once, then GET …/status;
 *    ^                │                   between them, while they come, events
 *    └──── sleep <────┘
 *
 * It decides nothing: not who is served, not where anybody stands.
 */

import { TEXTS } from './waiting-room-texts.js';

const MS = 1000;
const PATIENCE_MS = 10 * MS; // for one answer
const BACKOFF_MS = { first: 1 * MS, most: 30 * MS };
const SELDOM_MS = 10 * MS; // between asks when nothing is to be expected soon
const FOLLOWED_MS = 60 * MS; // between asks while events come
const FOLLOW_AGAIN_MS = 30 * MS; // after events ended
const SCATTER_MS = 5 * MS; // over which those ask who lost their events together
const READ_OUT_MS = 60 * MS; // between numbers that are read out
const LONG_S = 6 * 3600; // beyond it no time is named

/* What a state shows beside heading and lead. */
const VIEWS = {
  who: ['who'],
  joining: [],
  soon: ['hint', 'leave'],
  waiting: ['place', 'hint', 'leave'],
  paused: ['place', 'hint', 'leave'],
  served: ['pass', 'leave'],
  soldOut: ['leave'],
  over: ['again'],
  left: ['again'],
  closed: [],
  ended: ['again'],
  unknown: [],
};

const query = new URLSearchParams(location.search);
const line = query.get('line') ?? '0';
const goal = goalOf(query.get('to'));
const language =
  navigator.languages.map((tag) => tag.split('-')[0]).find((tag) => tag in TEXTS) ?? 'en';
const texts = TEXTS[language];
const numbers = new Intl.NumberFormat(language);
const key = `onrush.line.${line}`;
const $ = (id) => document.getElementById(id);

/* Where to go when served: a path of this site other than this page, or nowhere. */
function goalOf(to) {
  if (!to?.startsWith('/')) return undefined;
  try {
    const url = new URL(to, location.origin);
    return url.origin === location.origin && url.pathname !== location.pathname ? url : undefined;
  } catch {
    return undefined;
  }
}

/* --- what is remembered -------------------------------------------------------------- */

/*
 * {user, token, first, best}: who waits, the pass, the first and the best place that it has
 * had; or {user, gone}, the state in which a place ended, until another one is asked for.
 * Replaced as a whole, never changed, so that whoever waited for an answer can see that it
 * is not the same any more.
 */
let place = load();

function load() {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? {};
  } catch {
    return {};
  }
}

/* Without storage (a browser may refuse it) the place lasts as long as the page. */
function remember(next) {
  place = next;
  try {
    localStorage.setItem(key, JSON.stringify(next));
  } catch {
    return;
  }
}

/* --- the queue service --------------------------------------------------------------- */

/* Nothing could be learned: "offline", or "busy" with the pause that was asked for. */
class NoAnswer extends Error {
  constructor(kind, retryMs = 0) {
    super(kind);
    this.kind = kind;
    this.retryMs = retryMs;
  }
}

async function call(method, path, body) {
  const headers = place.token === undefined ? {} : { 'X-Onrush-Pass': place.token };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  let envelope;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      cache: 'no-store',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    envelope = await response.json();
  } catch {
    throw new NoAnswer(response === undefined ? 'offline' : 'busy');
  }
  if (response.status >= 500 || response.status === 429)
    throw new NoAnswer('busy', (Number(response.headers.get('Retry-After')) || 0) * MS);
  return envelope;
}

const at = (path) => `/queue/${path}/${place.user}?line=${line}`;

/* Asks where we stand; what is to be shown: {state, data}. */
async function ask() {
  if (place.user === undefined) return { state: 'who' };
  if (place.gone !== undefined) return { state: place.gone };
  const asked = place;
  const answer =
    place.token === undefined
      ? await call('POST', '/queue/tokens', { userId: place.user, line })
      : await call('GET', at('tokens/status'));
  if (place !== asked) return ask(); // given up meanwhile, here or in another tab
  if (answer.error !== undefined) return refused(answer);
  return accepted(answer.data);
}

function lose(state) {
  remember({ user: place.user, gone: state });
  return { state };
}

function refused({ error, message }) {
  switch (error) {
    case 'LINE_CLOSED':
      return { state: 'closed' };
    case 'LINE_NOT_FOUND':
      return { state: 'unknown' };
    case 'TOKEN_NOT_FOUND':
      return lose('left');
    case 'PASS_EXPIRED':
      return lose('ended');
    case 'PASS_INVALID': // its key is no longer in use
      remember({ user: place.user });
      return ask();
    case 'BAD_PARAMETER':
      remember({});
      $('user-wrong').textContent = texts.userWrong;
      return { state: 'who' };
    default:
      console.error(error, message);
      throw new NoAnswer('busy');
  }
}

/* The same pass never gets a worse place, whichever of several servers answers. */
function accepted(data) {
  const next = data.token === place.token ? { ...place } : { user: place.user, token: data.token };
  if (data.queueOrder !== null) {
    next.first ??= data.queueOrder;
    next.best = Math.min(data.queueOrder, next.best ?? data.queueOrder);
  }
  remember(next);
  return { state: stateOf(data), data };
}

function stateOf(data) {
  if (data.soldOut) return 'soldOut';
  if (data.status === 'ACTIVE') return 'served';
  if (data.status === 'EXPIRED') return 'over';
  if (data.closed) return 'paused';
  return data.queueOrder === null ? 'soon' : 'waiting';
}

/* --- what is shown ------------------------------------------------------------------- */

let shown; // the state
let readOut = { at: 0, text: '' };

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/* Rounded up, so that nobody is told less than was promised. */
function duration(seconds) {
  const unit = (name, value) => {
    const style = { style: 'unit', unit: name, unitDisplay: 'long' };
    return new Intl.NumberFormat(language, style).format(value);
  };
  const minutes = Math.ceil(seconds / 60);
  if (minutes <= 1) return texts.moment;
  return minutes < 120 ? unit('minute', minutes) : unit('hour', Math.ceil(minutes / 30) / 2);
}

function estimate(seconds) {
  return seconds > LONG_S ? texts.long : fill(texts.estimate, { time: duration(seconds) });
}

function showPlace(data) {
  $('number').textContent = numbers.format(place.best);
  $('progress').value = Math.floor(100 * (1 - place.best / Math.max(place.first, 1)));
  $('estimate').textContent = shown === 'paused' ? '' : estimate(data.remainingTime);
}

function show({ state, data }) {
  const changed = state !== shown;
  shown = state;
  const parts = state === 'served' && goal ? ['continue', 'leave'] : VIEWS[state];
  for (const part of document.querySelectorAll('[data-part]'))
    part.hidden = !parts.includes(part.dataset.part);
  $('heading').textContent = texts[`${state}Heading`];
  $('lead').textContent = fill(texts[`${state}Lead`] ?? '', { time: duration(data?.opensIn ?? 0) });
  if (parts.includes('place')) showPlace(data);
  $('pass').value = state === 'served' ? place.token : '';
  document.title =
    state === 'waiting' ? `${$('number').textContent} · ${texts.title}` : $('heading').textContent;
  if (changed && document.activeElement?.closest('[hidden]')) $('heading').focus();
  speak(changed);
}

/* A screen reader hears every change of state, and numbers once in a while. */
function speak(changed) {
  const now = Date.now();
  const said = [$('heading'), $('lead')];
  if (!$('number').closest('[hidden]')) said.push($('place-label'), $('number'), $('estimate'));
  const text = said.map((element) => element.textContent).join(' ');
  if (text === readOut.text || (!changed && now - readOut.at < READ_OUT_MS)) return;
  readOut = { at: now, text };
  $('live').textContent = text;
}

function complain(trouble) {
  const kept = trouble && place.token !== undefined ? ` ${texts.kept}` : '';
  const text = trouble ? texts[trouble.kind] + kept : '';
  if ($('trouble').textContent !== text) $('trouble').textContent = text;
}

/* --- going on ------------------------------------------------------------------------ */

/*
 * The pass for the gateway, when it is not a script that asks for what it guards; "" takes
 * it away.
 */
function showPass(pass) {
  const safely = location.protocol === 'https:' ? '; secure' : '';
  const gone = pass === '' ? '; max-age=0' : '';
  document.cookie = `onrush_pass=${pass}; path=/; samesite=lax${safely}${gone}`;
}

/*
 * Goes to where we were sent from, once with each pass: who is sent back with it gets a
 * link instead of going round in circles.
 */
function goOn() {
  const sent = `${key}.sent`;
  try {
    if (sessionStorage.getItem(sent) === place.token) return;
    sessionStorage.setItem(sent, place.token);
  } catch {
    return;
  }
  location.replace(goal);
}

/* Shows a state and does what it asks for; the pause until the next ask, in ms. */
function enter(next) {
  show(next);
  complain(undefined);
  if (next.state === 'served') showPass(place.token);
  if (next.state === 'served' && goal) goOn();
  switch (next.state) {
    case 'soon':
    case 'waiting':
    case 'paused':
      return next.data.askAgainMs;
    case 'who':
    case 'left':
    case 'over':
    case 'ended':
      return Infinity;
    default:
      return SELDOM_MS;
  }
}

/* --- when to ask --------------------------------------------------------------------- */

let woken = false;
let wakeUp = () => {};

/* Asks now, also when an ask is under way that may be too early. */
function wake() {
  woken = true;
  wakeUp();
}

/* True when it was cut short. */
function sleep(ms) {
  return new Promise((resolve) => {
    const timer = ms === Infinity ? undefined : setTimeout(resolve, ms, false);
    wakeUp = () => {
      clearTimeout(timer);
      resolve(true);
    };
    if (woken) wakeUp();
  }).finally(() => {
    woken = false;
  });
}

/* A tenth more or less, so that a crowd that came together does not ask together. */
const spread = (ms) => ms * (0.9 + Math.random() / 5);

/* Until the next ask, which has time while events come. */
async function rest(ms) {
  const cut = await sleep(spread(ms));
  if (!cut && follows) await sleep(spread(FOLLOWED_MS));
}

/* Doubles with every failure, up to a limit; half of it is left to chance. */
function backoff(failures, retryMs) {
  const most = Math.min(BACKOFF_MS.first * 2 ** (failures - 1), BACKOFF_MS.most);
  return Math.max(most * (0.5 + Math.random() / 2), retryMs);
}

async function run() {
  for (let failures = 0; ; ) {
    try {
      const next = await ask();
      failures = 0;
      if (next.data !== undefined) follow();
      await rest(enter(next));
    } catch (trouble) {
      if (!(trouble instanceof NoAnswer)) throw trouble;
      failures += 1;
      complain(trouble);
      await sleep(backoff(failures, trouble.retryMs));
    }
  }
}

/* --- events -------------------------------------------------------------------------- */

let following = false; // follow() runs
let follows = false; // events come
let unfollow = () => {};

/* Follows one stream of events to its end. */
function listen() {
  const { token } = place;
  if (token === undefined) return undefined;
  return new Promise((resolve) => {
    const source = new EventSource(at('events'));
    unfollow = () => {
      source.close();
      follows = false;
      resolve();
    };
    const onEnd = () => {
      unfollow();
      setTimeout(wake, Math.random() * SCATTER_MS);
    };
    source.addEventListener('place', (event) => {
      if (place.token !== token) return unfollow();
      follows = true;
      enter(accepted({ ...JSON.parse(event.data), token }));
    });
    source.addEventListener('end', onEnd);
    source.addEventListener('error', onEnd);
  });
}

/*
 * Events come over a connection that stays, and a browser has few for one site: only one
 * tab follows the line, and the others ask.
 */
async function follow() {
  if (following || navigator.locks === undefined) return;
  following = true;
  for (;;) {
    await navigator.locks.request(key, listen);
    await new Promise((resolve) => {
      setTimeout(resolve, spread(FOLLOW_AGAIN_MS));
    });
  }
}

/* --- what people do ------------------------------------------------------------------ */

function getInLine(user) {
  remember({ user });
  show({ state: 'joining' });
  wake();
}

async function leave() {
  try {
    await call('DELETE', at('tokens'));
  } catch (trouble) {
    if (!(trouble instanceof NoAnswer)) throw trouble;
    complain(trouble);
    return;
  }
  unfollow();
  showPass('');
  lose('left');
  wake();
}

async function copy() {
  $('pass').select();
  try {
    await navigator.clipboard.writeText($('pass').value);
    $('copied').textContent = texts.copied;
  } catch {
    $('copied').textContent = texts.selected;
  }
}

function onWho(event) {
  const user = $('user').value.trim();
  event.preventDefault();
  const right = isUser(user);
  $('user-wrong').textContent = right ? '' : texts.userWrong;
  if (right) getInLine(user);
}

/* Another tab has noted something: only when it is another place we ask for it. */
function onStorage(event) {
  const before = place;
  if (event.key !== key) return;
  place = load();
  if (place.user !== before.user || place.token !== before.token || place.gone !== before.gone)
    wake();
}

/* As text: numbers beyond 2^53 lose their last digits in JavaScript. */
const isUser = (text) => /^[1-9]\d{0,18}$/.test(text);

function prepare() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll('[data-text]'))
    element.textContent = texts[element.dataset.text];
  for (const element of document.querySelectorAll('[data-label]'))
    element.setAttribute('aria-label', texts[element.dataset.label]);
  $('heading').tabIndex = -1;
  if (goal) $('continue').href = goal;
  $('who').addEventListener('submit', onWho);
  $('copy').addEventListener('click', copy);
  $('again').addEventListener('click', () => getInLine(place.user));
  $('leave').addEventListener('click', () => $('sure').showModal());
  $('stay').addEventListener('click', () => $('sure').close());
  $('really').addEventListener('click', () => {
    $('sure').close();
    leave();
  });
  addEventListener('online', wake);
  addEventListener('offline', wake);
  addEventListener('storage', onStorage);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) wake();
  });
}

function begin() {
  prepare();
  if (!/^\d{1,18}$/.test(line)) {
    show({ state: 'unknown' });
    return;
  }
  const user = query.get('userId');
  if (user !== null && isUser(user) && user !== place.user) remember({ user });
  show({ state: 'joining' });
  run();
}

begin();
