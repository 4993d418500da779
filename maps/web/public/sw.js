// Keeps the page's shell and what was last looked at, so that both can be read without a network. The service always comes
// first; what was kept is handed out only when it does not answer, and then says when it was kept (X-Wangge-Kept).
// Cases, their places, accounts and files are never kept; all of the view is forgotten when somebody signs in or out.
const SHELL = "wangge-shell-1";
const VIEW = "wangge-view-1";
const MOST = { [SHELL]: 150, [VIEW]: 400 }; // entries; the oldest go first
const PAGES = /^\/(plans|loads|exports|people)?(\/|$)/;
const FIXED = /^\/(assets\/|favicon|icon-|manifest)/;
const KEPT = /^\/(api\/(city|session|zones|heatmap|series|categories|summary|matrix)(\/|$)|tiles\/(grids|boundaries|ways|facilities|plans)\/)/;

let readers = 0; // grows with every sign-in and sign-out: what was asked before one is not kept after it

self.addEventListener("install", (event) => event.waitUntil(shell().then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil(clean().then(() => self.clients.claim())));
self.addEventListener("message", (event) => {
  if (Array.isArray(event.data?.keep)) event.waitUntil(keepAll(event.data.keep));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.method !== "GET") {
    if (url.pathname.startsWith("/api/session")) event.respondWith(anotherReader(request));
    return;
  }
  if (request.mode === "navigate" && PAGES.test(url.pathname)) event.respondWith(page(event));
  else if (url.pathname.startsWith("/assets/")) event.respondWith(asset(event));
  else if (FIXED.test(url.pathname)) event.respondWith(serviceFirst(event, SHELL));
  else if (KEPT.test(url.pathname)) event.respondWith(serviceFirst(event, VIEW));
});

/** A sign-in or sign-out: forgotten before it, even if no answer comes, and after it, with what was asked meanwhile. */
async function anotherReader(request) {
  await forget();
  try {
    return await fetch(request);
  } finally {
    await forget();
  }
}

async function forget() {
  readers += 1;
  await caches.delete(VIEW);
}

/** The page and what it names, kept at once. */
async function shell() {
  const answer = await fetch("/");
  if (!answer.ok) return;
  const text = await answer.clone().text();
  await keep(SHELL, "/", answer);
  await keepAll([...text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((found) => found[1]).filter((path) => FIXED.test(path)));
}

async function clean() {
  for (const name of await caches.keys()) if (name !== SHELL && name !== VIEW) await caches.delete(name);
}

/** What a page had loaded before this worker was there. */
async function keepAll(addresses) {
  for (const address of addresses) {
    const url = new URL(address, location.origin);
    const name = FIXED.test(url.pathname) ? SHELL : KEPT.test(url.pathname) ? VIEW : null;
    if (url.origin !== location.origin || !name || (await caches.match(url.href, { cacheName: name, ignoreVary: true }))) continue;
    const reader = readers;
    const answer = await fetch(url.href).catch(() => null);
    if (answer?.ok) await keep(name, url.href, answer, reader);
  }
}

async function page(event) {
  try {
    const answer = await fetch(event.request);
    if (answer.ok) event.waitUntil(keep(SHELL, "/", answer.clone()));
    return answer;
  } catch (failure) {
    return (await caches.match("/", { cacheName: SHELL, ignoreVary: true })) ?? Promise.reject(failure);
  }
}

/** Names of built files hold their content: what is kept is what would come. */
async function asset(event) {
  const known = await caches.match(event.request, { cacheName: SHELL, ignoreVary: true });
  return known ?? serviceFirst(event, SHELL);
}

async function serviceFirst(event, name) {
  const reader = readers;
  try {
    const answer = await fetch(event.request);
    if (answer.ok && answer.status === 200) event.waitUntil(keep(name, event.request.url, answer.clone(), reader));
    return answer;
  } catch (failure) {
    return (await caches.match(event.request.url, { cacheName: name, ignoreVary: true })) ?? Promise.reject(failure);
  }
}

async function keep(name, address, answer, reader = readers) {
  const body = await answer.blob();
  if (new URL(address, location.origin).pathname === "/api/session" && reader === readers) {
    await sameReader(await body.text());
    reader = readers;
  }
  const headers = new Headers(answer.headers);
  for (const gone of ["content-encoding", "content-length", "set-cookie"]) headers.delete(gone);
  headers.set("x-wangge-kept", new Date().toISOString());
  const cache = await caches.open(name);
  if (name === VIEW && reader !== readers) return; // somebody else's by now
  await cache.put(address, new Response(body, { status: 200, headers }));
  const keys = await cache.keys();
  for (const old of keys.slice(0, Math.max(0, keys.length - MOST[name]))) await cache.delete(old);
}

/** Another reader, or none: what the one before saw is forgotten. */
async function sameReader(text) {
  const before = await caches.match(new URL("/api/session", location.origin).href, { cacheName: VIEW, ignoreVary: true });
  const who = (told) => `${told.name}/${told.role}`;
  if (before && who(await before.json()) !== who(JSON.parse(text))) await forget();
}
