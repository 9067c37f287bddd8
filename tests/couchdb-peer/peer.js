'use strict';
// CouchDB-shaped test peer: express-pouchdb 4.2.0 over PouchDB 9 (memory), with the deviations that matter put right.
// usage: PORT=5992 [COUCH_USER=admin COUCH_PASSWORD=secret] node peer.js
// PORT=0 lets the system choose; the line "peer listening on <port>" says which. With EXIT_WITH_STDIN=1 it ends when its standard input does.
const express = require('express'), { EventEmitter } = require('events');
const P = require('pouchdb-core').plugin(require('pouchdb-adapter-http')).plugin(require('pouchdb-replication'))
  .plugin(require('pouchdb-mapreduce')).plugin(require('pouchdb-adapter-memory')).defaults({ adapter: 'memory' });
let PORT = process.env.PORT === undefined ? 5992 : +process.env.PORT; const USER = process.env.COUCH_USER, PW = process.env.COUCH_PASSWORD;
const inner = require('express-pouchdb')(P, { mode: 'minimumForPouchDB', inMemoryConfig: true, overrideMode: {
  include: ['routes/find', 'routes/ddoc-info', 'routes/update', 'routes/show', 'routes/list', 'config-infrastructure', 'routes/uuids', 'validation'], exclude: ['compression', 'routes/session-stub'] } });
inner.set('etag', false);
const ext = n => n.replace(/~/g, '/'), int = n => n.replace(/\//g, '~');      // '/' cannot be part of an express-pouchdb name
const json = (res, s, o) => { res.statusCode = s; res.setHeader('Content-Type', 'application/json'); res.end(JSON.stringify(o) + '\n'); };
const err = (res, s, error, reason) => json(res, s, { error, reason });
const names = async () => [...live].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
const seqs = s => `${s}-g1AAAA`, num = s => (s === 'now' ? s : parseInt(String(s).replace(/"/g, ''), 10) || 0);
const val = v => { try { return JSON.parse(v); } catch (e) { return v; } };
const sec = new Map(), upd = [], bus = new EventEmitter(); bus.setMaxListeners(0);
const note = (db_name, type) => { upd.push({ db_name, type, seq: seqs(upd.length + 1) }); bus.emit('u', upd[upd.length - 1]); };
const live = new Set(); // databases present, by their CouchDB names
const info = async n => { const db = new P(int(n)), i = await db.info(); return { instance_start_time: '0', db_name: n, purge_seq: '0-g1', update_seq: seqs(i.update_seq), sizes: { file: 0, external: 0, active: 0 }, props: {}, doc_del_count: 0, doc_count: i.doc_count, disk_format_version: 8, compact_running: false, cluster: { q: 1, n: 1, w: 1, r: 1 } }; };
const MEMBERS = /^_(id|rev|deleted|attachments|revisions|local_seq|revs_info|conflicts|deleted_conflicts)$/; // CouchDB's own, in a document
const buried = async (db, id, rev) => { if (!rev || id.startsWith('_local/')) return false; // CouchDB: only a revision that is a leaf, and no tombstone, fits a write. PouchDB stands still for ever when what was written there once is written again
  const leaves = await db.get(id, { open_revs: 'all' }).catch(() => null); if (!leaves) return false; const leaf = leaves.find(l => l.ok && l.ok._rev === rev); return !leaf || leaf.ok._deleted === true; };
const app = express(); app.disable('x-powered-by');
const body = express.json({ limit: '64mb', strict: false, type: () => true });
app.use((req, res, next) => {                                                  // auth, path normalisation
  if (USER) { const h = req.headers.authorization; if (!h && req.path !== '/_up' && req.path !== '/') return err(res, 401, 'unauthorized', 'You are not authorized to access this db.');
    if (h && h !== 'Basic ' + Buffer.from(USER + ':' + PW).toString('base64')) return err(res, 401, 'unauthorized', 'Name or password is incorrect.'); delete req.headers.authorization; }
  const q = req.url.indexOf('?'), path = q < 0 ? req.url : req.url.slice(0, q), tail = q < 0 ? '' : req.url.slice(q);
  const seg = path.split('/').slice(1).map(s => decodeURIComponent(s.replace(/\+/g, '%20')));
  while (seg.length > 1 && seg[seg.length - 1] === '') seg.pop();
  req.seg = seg; req.dbn = seg[0]; req.doc = null;
  if (seg[0] && (seg[0][0] !== '_' || /^_(users|replicator|global_changes)$/.test(seg[0]))) {
    if (!/^[a-z][a-z0-9_$()+/-]*$/.test(seg[0]) && seg[0][0] !== '_') return err(res, 400, 'illegal_database_name', `Name: '${seg[0]}'. Only lowercase characters (a-z), digits (0-9), and any of the characters _, $, (, ), +, -, and / are allowed. Must begin with a letter.`);
    let d = seg.slice(1); if (d.length === 1 && (d[0][0] !== '_' || /^_(design|local)\//.test(d[0]))) req.doc = d[0]; else if (d.length === 2 && /^_(design|local)$/.test(d[0])) req.doc = d.join('/');
    req.url = '/' + encodeURIComponent(int(seg[0])) + d.map((s, i) => '/' + (i === 0 && /^_(design|local)\//.test(s) ? s.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(s))).join('') + tail; req.isdb = true; }
  next();
});
app.use(async (req, res, next) => { try {
  const m = req.method, s = req.seg, Q = req.query;
  if (s[0] === '' && m === 'GET') return json(res, 200, { couchdb: 'Welcome', version: '3.5.0', git_sha: 'pouch', uuid: '0', features: [], vendor: { name: 'pouch-peer' } });
  if (s[0] === '_up') return json(res, 200, { status: 'ok', seeds: {} });
  if (s[0] === '_session') return json(res, 200, { ok: true, userCtx: { name: USER || null, roles: ['_admin'] }, info: {} });
  if (s[0] === '_membership') return json(res, 200, { all_nodes: ['n@127.0.0.1'], cluster_nodes: ['n@127.0.0.1'] });
  if (s[0] === '_all_dbs' || (s[0] === '_dbs_info' && m === 'GET')) { let l = await names(); const lo = val(Q.startkey ?? Q.start_key), hi = val(Q.endkey ?? Q.end_key), desc = Q.descending === 'true'; if (desc) l.reverse();
    l = l.filter(n => (lo === undefined || (desc ? n <= lo : n >= lo)) && (hi === undefined || (desc ? n >= hi : n <= hi))).slice(+Q.skip || 0); if (Q.limit !== undefined) l = l.slice(0, +Q.limit);
    return json(res, 200, s[0] === '_all_dbs' ? l : await Promise.all(l.map(async k => ({ key: k, info: await info(k) })))); }
  if (s[0] === '_dbs_info') return body(req, res, async () => { const all = new Set(await names()); json(res, 200, await Promise.all(req.body.keys.map(async k => all.has(k) ? { key: k, info: await info(k) } : { key: k, error: 'not_found' }))); });
  if (s[0] === '_db_updates') { const since = Q.since === 'now' ? upd.length : num(Q.since || 0), feed = Q.feed || 'normal'; const got = upd.slice(since); res.setHeader('Content-Type', 'application/json');
    if (feed === 'continuous') { res.flushHeaders(); got.forEach(u => res.write(JSON.stringify(u) + '\n')); const f = u => res.write(JSON.stringify(u) + '\n'); bus.on('u', f); const t = setTimeout(() => res.end(), +Q.timeout || 60000); res.on('close', () => { bus.off('u', f); clearTimeout(t); }); return; }
    const done = r => json(res, 200, { results: Q.limit ? r.slice(0, +Q.limit) : r, last_seq: seqs(upd.length) }); if (feed === 'longpoll' && !got.length) { const f = u => { clearTimeout(t); done([u]); }; bus.once('u', f); const t = setTimeout(() => { bus.off('u', f); done([]); }, +Q.timeout || 60000); return; } return done(got); }
  if (!req.isdb) return next();
  const exists = live.has(s[0]);
  if (!exists && !(s.length === 1 && m === 'PUT')) { return m === 'HEAD' ? (res.statusCode = 404, res.end()) : err(res, 404, 'not_found', 'Database does not exist.'); }
  if (s.length === 1 && m === 'PUT' && exists) return err(res, 412, 'file_exists', 'The database could not be created, the file already exists.');
  if (s.length === 1 && (m === 'PUT' || (m === 'DELETE' && !Q.rev))) res.on('finish', () => { if (res.statusCode >= 300) return; if (m === 'PUT') { live.add(s[0]); note(s[0], 'created'); } else { live.delete(s[0]); sec.delete(s[0]); note(s[0], 'deleted'); } });
  if ((s.length > 1 && s[1][0] !== '_' && (m === 'PUT' || m === 'DELETE')) || (m === 'POST' && (s.length === 1 || s[1] === '_bulk_docs')) || (s[1] === '_design' && m === 'PUT')) res.on('finish', () => { if (res.statusCode < 300) note(s[0], 'updated'); });
  if (s[1] === '_compact' || s[1] === '_view_cleanup') return json(res, 202, { ok: true });
  if (s[1] === '_ensure_full_commit') return json(res, 201, { ok: true, instance_start_time: '0' });
  if (s.length === 1 && m === 'GET') return json(res, 200, await info(s[0]));
  if (s.length === 1 && m === 'HEAD') { res.statusCode = 200; return res.end(); }
  if (m === 'POST' && !/^application\/json/.test(req.headers['content-type'] || '') && s[1] !== '_compact') return err(res, 415, 'bad_content_type', 'Content-Type must be application/json');
  if (s[1] === '_security') { if (m === 'PUT') return body(req, res, () => { sec.set(s[0], req.body); json(res, 200, { ok: true }); }); return json(res, 200, sec.get(s[0]) || { members: { roles: ['_admin'] }, admins: { roles: ['_admin'] } }); }
  const db = new P(int(s[0]));
  if (s[1] === '_changes') return body(req, res, () => changes(req, res, db).catch(e => err(res, e.status || 500, e.name || 'error', e.message)));
  if (s[1] === '_find' && m === 'POST') return body(req, res, () => { const b = req.body, skip = b.bookmark && b.bookmark !== 'nil' ? +Buffer.from(b.bookmark, 'base64').toString() : +b.skip || 0; b.limit = b.limit === undefined ? 25 : b.limit; b.skip = skip; delete b.bookmark;
    grab(res, (st, o) => { if (st < 300) o.bookmark = o.docs.length ? Buffer.from(String(skip + o.docs.length)).toString('base64') : 'nil'; else if (/unknown operator/.test(o.reason)) o.error = 'invalid_operator'; else if (/Cannot sort|No index/.test(o.reason)) o.error = 'no_usable_index'; return o; }); next(); });
  if (s[1] === '_bulk_docs' && m === 'POST') return body(req, res, async () => { for (const b of (req.body && req.body.docs) || []) { // one bad document refuses the batch
    const bad = Object.keys(b).find(k => k[0] === '_' && !MEMBERS.test(k)); if (bad) return err(res, 400, 'doc_validation', 'Bad special document member: ' + bad);
    if (b._id === '' || (b._id && b._id[0] === '_' && !/^_(design|local)\//.test(b._id))) return err(res, 400, 'illegal_docid', 'Only reserved document ids may start with underscore.'); if (req.body.new_edits !== false && await buried(db, b._id, b._rev)) b._rev = '1-0'; } next(); });
  if (s[1] === '_bulk_get' && m === 'POST') return body(req, res, async () => json(res, 200, { results: await Promise.all(req.body.docs.map(async d => ({ id: d.id, docs: // without a revision: every leaf, tombstones too
    await db.get(d.id, { open_revs: d.rev ? [d.rev] : 'all', revs: Q.revs === 'true' }).then(l => l.map(x => x.ok ? x : { error: { id: d.id, rev: d.rev, error: 'not_found', reason: 'missing' } }), e => { if (e.status !== 404) throw e; return [{ error: { id: d.id, rev: d.rev || 'undefined', error: 'not_found', reason: 'missing' } }]; }) }))) }));
  if (s[1] === '_index' && m === 'DELETE') { await db.deleteIndex({ ddoc: s.slice(2, -2).join('/').replace(/^(?!_design)/, '_design/'), type: s[s.length - 2], name: s[s.length - 1] }); return json(res, 200, { ok: true }); }
  if (s[s.length - 1] === 'queries' && m === 'POST') return body(req, res, async () => { try { const out = []; for (const q of req.body.queries) { if (q.start_key !== undefined) q.startkey = q.start_key; if (q.end_key !== undefined) q.endkey = q.end_key; out.push(s[1] === '_all_docs' ? await db.allDocs(q) : await db.query(s[2] + '/' + s[4], q)); } json(res, 200, { results: out }); } catch (e) { err(res, e.status || 500, e.name, e.message); } });
  if (s.length >= 3 && s[1] === '_design' && s[3] === '_info') grab(res, (st, o) => ({ name: s[2], view_index: { updates_pending: { minimum: 0, preferred: 0, total: 0 }, waiting_commit: false, waiting_clients: 0, updater_running: false, update_seq: 0, sizes: { file: 0, external: 0, active: 0 }, signature: '0', purge_seq: 0, language: 'javascript', compact_running: false, collator_versions: ['1'] } }));
  if (req.doc !== null) { const im = (req.headers['if-match'] || '').replace(/"/g, ''); let rev = Q.rev || im;
    if (m === 'DELETE') { const cur = await db.get(req.doc).catch(() => null); if (!cur) return err(res, 404, 'not_found', 'missing'); if (!rev) return err(res, 409, 'conflict', 'Document update conflict.'); if (cur._rev !== rev && !req.doc.startsWith('_local/')) return err(res, 409, 'conflict', 'Document update conflict.'); req.url = req.url.split('?')[0] + '?rev=' + rev; }
    if (m === 'PUT') return body(req, res, async e => { if (e) return err(res, 400, 'bad_request', 'invalid UTF-8 JSON'); const b = req.body; if (!b || typeof b !== 'object' || Array.isArray(b)) return err(res, 400, 'bad_request', 'Document must be a JSON object'); if (rev) b._rev = rev;
      if (Buffer.byteLength(JSON.stringify(b)) > 8000000) return err(res, 413, 'document_too_large', req.doc);
      const bad = Object.keys(b).find(k => k[0] === '_' && !MEMBERS.test(k)); if (bad) return err(res, 400, 'doc_validation', 'Bad special document member: ' + bad);
      if (/^_design\//.test(req.doc)) for (const v in b.views || {}) if (typeof b.views[v].map === 'string') { try { new Function('return (' + b.views[v].map + ')'); } catch (x) { return err(res, 400, 'compilation_error', `Compilation of the map function in the '${v}' view failed: ${x.message}`); } }
      if (Q.new_edits !== 'false' && await buried(db, req.doc, b._rev)) return err(res, 409, 'conflict', 'Document update conflict.');
      req.url = req.url.split('?')[0]; next(); });
    if (m === 'GET' || m === 'HEAD') { const d = m === 'HEAD' ? await db.get(req.doc).catch(() => null) : null; if (m === 'HEAD') { if (!d) { res.statusCode = 404; return res.end(); } res.setHeader('ETag', `"${d._rev}"`); return res.end(); }
      if (!Q.rev && !Q.open_revs) { const g = await db.get(req.doc).catch(e => e); if (g && g._rev) { res.setHeader('ETag', `"${g._rev}"`); if (req.headers['if-none-match'] === `"${g._rev}"`) { res.statusCode = 304; return res.end(); } } else if (g && g.status === 404) return err(res, 404, 'not_found', g.reason || 'missing'); } } }
  next();
} catch (e) { err(res, e.status || 500, e.name || 'error', e.message); } });
function grab(res, f) { const end = res.end, chunks = []; res.write = c => { chunks.push(Buffer.from(c)); return true; }; res.end = c => { if (c) chunks.push(Buffer.from(c)); delete res.write; res.end = end; let o; try { o = f(res.statusCode, JSON.parse(Buffer.concat(chunks).toString())); } catch (e) { return end.call(res, Buffer.concat(chunks)); } res.removeHeader('Content-Length'); return end.call(res, JSON.stringify(o) + '\n'); }; }
async function changes(req, res, db) {
  const Q = { ...req.query }, b = req.body && typeof req.body === 'object' ? req.body : {}, feed = Q.feed || 'normal', tmo = Q.timeout !== undefined ? +Q.timeout : 60000;
  const o = { since: num(Q.since || 0), include_docs: Q.include_docs === 'true', descending: Q.descending === 'true', style: Q.style };
  if (Q.limit !== undefined) o.limit = Math.max(1, +Q.limit); if (b.doc_ids) o.doc_ids = b.doc_ids; if (Q.filter === '_selector') o.selector = b.selector; else if (Q.filter && Q.filter !== '_doc_ids') o.filter = Q.filter; if (Q.filter && Q.filter[0] !== '_') o.query_params = Q;
  const row = c => { const r = { seq: seqs(c.seq), id: c.id, changes: c.changes }; if (c.deleted) r.deleted = true; if (o.include_docs) r.doc = c.doc; return r; };
  const r = await db.changes(o); res.setHeader('Content-Type', 'application/json');
  if (feed === 'normal' || (feed === 'longpoll' && r.results.length)) return json(res, 200, { results: r.results.map(row), last_seq: seqs(r.last_seq), pending: 0 });
  if (feed === 'eventsource') { res.setHeader('Content-Type', 'text/event-stream'); r.results.forEach(c => res.write(`data: ${JSON.stringify(row(c))}\nid: ${seqs(c.seq)}\n\n`)); return setTimeout(() => res.end(), tmo); }
  res.statusCode = 200; res.flushHeaders(); let last = r.last_seq, t, left = o.limit ? o.limit - r.results.length : Infinity;
  if (feed === 'continuous') r.results.forEach(c => res.write(JSON.stringify(row(c)) + '\n')); else res.write('{"results":[\n');
  const finish = rows => { clearTimeout(t); clearInterval(hb); live.cancel(); if (feed === 'continuous') res.end(JSON.stringify({ last_seq: seqs(last), pending: 0 }) + '\n'); else res.end(`${rows}],\n"last_seq":"${seqs(last)}","pending":0}\n`); };
  const arm = () => { if (Q.heartbeat) return; clearTimeout(t); t = setTimeout(() => finish(''), tmo); };
  const hb = Q.heartbeat ? setInterval(() => res.write('\n'), Q.heartbeat === 'true' ? 60000 : +Q.heartbeat) : 0;
  const live = db.changes({ ...o, limit: undefined, since: last, live: true }).on('change', c => { last = c.seq; if (feed === 'longpoll') return finish(JSON.stringify(row(c)) + '\n'); res.write(JSON.stringify(row(c)) + '\n'); if (--left <= 0) finish(''); else arm(); }).on('error', () => res.end());
  res.on('close', () => { clearTimeout(t); clearInterval(hb); live.cancel(); }); if (left <= 0) return finish(''); arm();
}
app.use((req, res, next) => { if (req.doc !== null && req.doc !== undefined && (req.method === 'PUT' || req.method === 'COPY')) { const wh = res.writeHead; res.writeHead = function (...a) { if (res.getHeader('Location')) res.setHeader('Location', `http://127.0.0.1:${PORT}/${encodeURIComponent(req.dbn)}/${encodeURIComponent(req.doc)}`); return wh.apply(this, a); }; } next(); });
app.use(inner);
process.on('uncaughtException', e => console.error('uncaught', e && e.message));
const server = app.listen(PORT, '127.0.0.1', () => { PORT = server.address().port; console.log('peer listening on', PORT); });
if (process.env.EXIT_WITH_STDIN) { process.stdin.on('end', () => process.exit()); process.stdin.on('error', () => process.exit()); process.stdin.resume(); }
