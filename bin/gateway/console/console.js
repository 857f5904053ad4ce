/* console.js - agents, runs, what happens, and a chat with one of them
 *
 * Text from agents reaches the page as text only, never as markup. The token, when one is needed, is kept in this tab and sent in a header.
 * Streams are read with fetch(), so that they carry the token too; after a loss they go on behind the last event that was seen.
 */
const RUNS_SHOWN = 100;
const EVENTS_SHOWN = 300;
const LOG_SHOWN = 1000;
const REFRESH_MS = 400;
const GATHER_MS = 50;
const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 10000;
const TERMINAL = new Map([['agent.run_completed', 'completed'], ['agent.run_failed', 'failed'], ['agent.run_cancelled', 'cancelled']]);

const $ = (id) => document.getElementById(id);
let token = sessionStorage.getItem('token') ?? '';
let run = null; // the run that is looked at: { id, agent, service, status, over, stop }
let stopLive = null;

/* ---- requests */

class Refusal extends Error {
	constructor(status, text) {
		super(text);
		this.status = status;
	}
}

function headers(more) {
	return token ? { ...more, authorization: `Bearer ${token}` } : { ...more };
}

async function refusal(answer) {
	let text = `the gateway answered ${answer.status}`;
	try {
		text = (await answer.json()).error ?? text;
	} catch {
		/* not JSON: the status says enough */
	}
	return new Refusal(answer.status, text);
}

async function ask(method, path, body, more) {
	const answer = await fetch(path, {
		method,
		headers: headers({ accept: 'application/json', ...(body ? { 'content-type': 'application/json' } : {}), ...more }),
		body: body ? JSON.stringify(body) : undefined,
		cache: 'no-store',
	});
	if (!answer.ok)
		throw await refusal(answer);
	return answer.json();
}

function path(...segments) {
	return '/' + segments.map(encodeURIComponent).join('/');
}

function newId(prefix) {
	const bytes = crypto.getRandomValues(new Uint8Array(8));
	return prefix + Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/* ---- streams */

/* The records of an event stream: each data, joined by newlines. */
async function readRecords(body, give) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '', data = [];
	for (;;) {
		const { value, done } = await reader.read();
		if (done)
			return;
		const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
		rest = lines.pop();
		for (const line of lines) {
			if (line.startsWith('data:'))
				data.push(line.slice(line[5] === ' ' ? 6 : 5));
			else if (line === '' && data.length) {
				give(data.join('\n'));
				data = [];
			}
		}
	}
}

/* Follows a stream, from behind an event, until the returned function is called. */
function follow(where, after, onEvent, onState) {
	const control = new AbortController();
	let last = after, pause = PAUSE_MIN_MS;
	const once = async () => {
		const answer = await fetch(where, {
			headers: headers({ accept: 'text/event-stream', ...(last ? { 'last-event-id': String(last) } : {}) }),
			signal: control.signal,
			cache: 'no-store',
		});
		if (!answer.ok)
			throw await refusal(answer);
		onState('live');
		pause = PAUSE_MIN_MS;
		await readRecords(answer.body, (text) => {
			const event = JSON.parse(text);
			if (event.seq > last) {
				last = event.seq;
				onEvent(event);
			}
		});
	};
	(async () => {
		while (!control.signal.aborted) {
			try {
				await once();
			} catch (error) {
				if (control.signal.aborted)
					return;
				if (error.status === 401 || error.status === 403) {
					onState('lost');
					failed(error);
					return;
				}
				if (error.status === 410)
					last = 0; // another log than before
			}
			onState('lost');
			await new Promise((wake) => setTimeout(wake, pause / 2 + Math.random() * pause / 2));
			pause = Math.min(pause * 2, PAUSE_MAX_MS);
		}
	})();
	return () => control.abort();
}

/* ---- what went wrong */

function failed(error) {
	if (error.status === 401) {
		askForToken(token ? 'The gateway does not take this token.' : '');
		return;
	}
	$('alert').textContent = error instanceof Refusal ? error.message : 'The gateway cannot be reached.';
	$('alert').hidden = false;
}

function fine() {
	$('alert').hidden = true;
}

function askForToken(why) {
	stopLive?.();
	stopLive = null;
	token = '';
	sessionStorage.removeItem('token');
	$('alert').textContent = why;
	$('alert').hidden = !why;
	$('main').hidden = true;
	$('leave').hidden = true;
	$('door').hidden = false;
	$('token').focus();
}

/* ---- pieces of the page */

function make(tag, text, attributes = {}) {
	const node = document.createElement(tag);
	if (text !== undefined)
		node.textContent = text;
	for (const [name, value] of Object.entries(attributes))
		node.setAttribute(name, value);
	return node;
}

/* Items gather for a moment, so that many of them cost one layout; of more than a list holds the oldest go. */
const gathering = new Map();
function add(list, item, most) {
	const items = gathering.get(list);
	if (!items) {
		gathering.set(list, [item]);
		setTimeout(() => put(list, most), GATHER_MS);
		return;
	}
	items.push(item);
	if (items.length > 2 * most)
		items.splice(0, most);
}
function put(list, most) {
	const items = (gathering.get(list) ?? []).slice(-most);
	const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
	gathering.delete(list);
	const over = list.childElementCount + items.length - most;
	if (over > 0)
		list.replaceChildren(...[...list.children].slice(over));
	list.append(...items);
	if (atEnd)
		list.scrollTop = list.scrollHeight;
}
function empty(list) {
	gathering.delete(list);
	list.replaceChildren();
}

/* A list of buttons brought up to date: each stays what it is, under the pointer and under the focus, while its words and its place change. */
function fill(list, items, id, paint) {
	const old = new Map([...list.children].map((line) => [line.firstElementChild.dataset.id, line]));
	const held = list.contains(document.activeElement) ? document.activeElement : null;
	let at = list.firstElementChild;
	for (const item of items) {
		let line = old.get(id(item));
		if (!line) {
			line = make('li');
			line.append(make('button', undefined, { type: 'button', 'data-id': id(item) }));
		}
		old.delete(id(item));
		paint(line.firstElementChild, item);
		if (line === at)
			at = at.nextElementSibling;
		else
			list.insertBefore(line, at);
	}
	for (const line of old.values())
		line.remove();
	if (held && held !== document.activeElement && list.contains(held))
		held.focus();
}

function clock(at) {
	return new Date(at).toLocaleTimeString();
}

/* ---- agents and runs */

function paintAgent(button, item) {
	const talks = item.agent.triggers.includes('api');
	button.textContent = item.agent.name || item.agent.agentId;
	button.append(make('small', `${item.agent.agentId} - ${item.lifecycle.toLowerCase()}, ${item.health.toLowerCase()}${talks ? '' : ' - only ' + item.agent.triggers.join(', ')}`));
	button.disabled = !talks;
	button.title = item.agent.objective;
	button.onclick = () => begin(item).catch(failed);
}

async function loadAgents() {
	const { items } = await ask('GET', '/api/agents/registry');
	fill($('agents'), items, (item) => item.serviceId, paintAgent);
	$('agents-none').hidden = items.length > 0;
}

function paintRun(button, item) {
	const line = make('small', `${item.agent}, ${clock(item.updatedAt)}, `);
	line.append(make('span', item.status, { class: 'status', 'data-status': item.status }));
	button.textContent = item.runId;
	button.append(line);
	mark(button);
	button.onclick = () => open(item.runId, item.agent, item.serviceId);
}

/* Is it the run that is looked at? */
function mark(button) {
	if (run?.id === button.dataset.id)
		button.setAttribute('aria-current', 'true');
	else
		button.removeAttribute('aria-current');
}

async function loadRuns() {
	const { items } = await ask('GET', `/api/agents/runs?limit=${RUNS_SHOWN}`);
	fill($('runs'), items, (item) => item.runId, paintRun);
	$('runs-none').hidden = items.length > 0;
	return items;
}

async function loadSummary() {
	const { runtime, agents: runs } = await ask('GET', '/api/status');
	$('summary').textContent = `version ${runtime.version}, up ${runtime.uptimeSeconds} s, ${runs.totalRuns} runs: ${runs.running} running, ${runs.waiting} waiting`;
}

let refreshing = null, again = false;
/* The lists follow the events, at most one request at a time. */
function refresh() {
	if (refreshing) {
		again = true;
		return;
	}
	refreshing = setTimeout(async () => {
		try {
			await Promise.all([loadRuns(), loadSummary()]);
			fine();
		} catch (error) {
			failed(error);
		}
		refreshing = null;
		if (again) {
			again = false;
			refresh();
		}
	}, REFRESH_MS);
}

async function begin(item) {
	const id = newId('console_'), agent = item.agent.agentId;
	const context = { route: '/', method: 'CONSOLE', requestId: id, caller: 'agent-gateway-console' };
	const event = (kind, more) => ask('POST', '/api/agents/events', {
		kind, level: 'info', message: `${kind} (${id})`, service_id: item.serviceId, run_id: id, agent,
		data: { runId: id, serviceId: item.serviceId, agent, trigger: 'api', triggerContext: context, ...more },
	}, { 'idempotency-key': newId('console-') });
	await event('agent.run_created', context);
	await event('agent.run_started', {});
	open(id, agent, item.serviceId);
	$('text').focus();
}

/* ---- the conversation */

function open(id, agent, service) {
	run?.stop();
	run = { id, agent, service, status: 'queued', over: false, stop: () => {} };
	history.replaceState(null, '', '#run=' + encodeURIComponent(id));
	$('chat-title').textContent = `${agent}: ${id}`;
	$('chat-none').hidden = true;
	empty($('log'));
	$('log').hidden = false;
	$('form').hidden = false;
	$('cancel').hidden = false;
	show('queued');
	$('runs').querySelectorAll('button').forEach(mark);
	watchRun(run).catch(failed);
	refresh();
}

/* Of a long run only its newest events are read; then what happens. */
async function watchRun(mine) {
	const where = path('api', 'agents', 'runs', mine.id, 'events');
	const { items } = await ask('GET', `${where}?limit=${LOG_SHOWN}`);
	if (run !== mine)
		return;
	items.forEach(tell);
	mine.stop = follow(`${where}/stream?after=${items.at(-1)?.seq ?? 0}`, items.at(-1)?.seq ?? 0, (event) => {
		if (run === mine)
			tell(event);
	}, () => {});
}

function show(status) {
	run.status = status;
	$('chat-status').textContent = status;
	$('chat-status').dataset.status = status;
	run.over = run.over || [...TERMINAL.values()].includes(status);
	$('text').disabled = run.over;
	$('send').disabled = run.over;
	$('cancel').hidden = run.over;
}

function said(who, text, mine) {
	const item = make('li', undefined, { class: mine ? 'said mine' : 'said' });
	item.append(make('span', who, { class: 'who' }), text);
	add($('log'), item, LOG_SHOWN);
}

function note(event, text) {
	add($('log'), make('li', `${clock(event.at)} ${text}`, { class: `note ${event.level}` }), LOG_SHOWN);
}

/* One event of the run that is looked at. */
function tell(event) {
	const data = event.data ?? {};
	if (TERMINAL.has(event.kind)) {
		note(event, `${event.kind}${data.error || data.reason ? ': ' + (data.error ?? data.reason) : ''}`);
		show(TERMINAL.get(event.kind));
		return;
	}
	switch (event.kind) {
	case 'agent.chat.user_message':
	case 'agent.hitl_input':
		said('you', data.message ?? '', true);
		break;
	case 'agent.chat.assistant_message':
		said(data.agent ?? run.agent, data.message ?? '', false);
		break;
	case 'agent.chat.system_message':
		said('system', data.message ?? '', false);
		break;
	case 'agent.waiting':
		if (event.level !== 'info')
			note(event, data.reason ?? event.message);
		if (!run.over)
			show('waiting');
		break;
	case 'agent.step_started':
	case 'agent.run_started':
		if (!run.over)
			show('running');
		break;
	case 'agent.step_completed':
		if (event.level === 'error')
			note(event, data.error ?? event.message);
		break;
	default:
		note(event, event.message);
	}
}

async function send(text) {
	$('send').disabled = true;
	try {
		await ask('POST', path('api', 'agents', 'runs', run.id, 'messages'), { message: text, role: 'user', service_id: run.service, agent: run.agent },
			{ 'idempotency-key': newId('console-') });
		$('text').value = '';
		fine();
	} catch (error) {
		failed(error);
	}
	$('send').disabled = run.over;
}

/* ---- everything that happens */

function matches(item) {
	const want = $('filter').value.trim();
	return !want || item.textContent.includes(want);
}

function happened(event) {
	const item = make('li', `${event.seq} ${clock(event.at)} ${event.kind} ${event.message}`, { class: event.level });
	item.hidden = !matches(item);
	add($('events'), item, EVENTS_SHOWN);
	if (event.kind.startsWith('agent.'))
		refresh();
	else if (event.kind.startsWith('service.'))
		loadAgents().catch(failed);
}

/* ---- the page */

const THEMES = [['', 'automatic'], ['light', 'light'], ['dark', 'dark']];
function setTheme(name) {
	const [theme, word] = THEMES.find(([known]) => known === name) ?? THEMES[0];
	if (theme)
		document.documentElement.dataset.theme = theme;
	else
		delete document.documentElement.dataset.theme;
	localStorage.setItem('theme', theme);
	$('theme').textContent = `Colours: ${word}`;
}

/* Up and down go through the buttons of a list. */
function arrows(list) {
	list.addEventListener('keydown', (key) => {
		const step = { ArrowDown: 1, ArrowUp: -1 }[key.key];
		if (!step)
			return;
		const buttons = [...list.querySelectorAll('button:enabled')];
		const next = buttons[buttons.indexOf(document.activeElement) + step];
		if (next) {
			next.focus();
			key.preventDefault();
		}
	});
}

async function start() {
	try {
		const [, items] = await Promise.all([loadAgents(), loadRuns(), loadSummary()]);
		$('door').hidden = true;
		$('main').hidden = false;
		$('leave').hidden = !token;
		fine();
		stopLive?.();
		empty($('events'));
		stopLive = follow('/api/events', 0, happened, (state) => {
			$('connection').dataset.state = state;
			$('connection').textContent = state === 'live' ? 'connected' : 'connection lost, trying again';
		});
		const wanted = new URLSearchParams(location.hash.slice(1)).get('run');
		const known = items.find((item) => item.runId === wanted);
		if (known && !run)
			open(known.runId, known.agent, known.serviceId);
	} catch (error) {
		failed(error);
		$('connection').dataset.state = 'lost';
		$('connection').textContent = 'not connected';
	}
}

$('door').addEventListener('submit', (submit) => {
	submit.preventDefault();
	token = $('token').value.trim();
	$('token').value = '';
	sessionStorage.setItem('token', token);
	start();
});
$('leave').addEventListener('click', () => {
	run?.stop();
	run = null;
	askForToken('');
});
$('form').addEventListener('submit', (submit) => {
	submit.preventDefault();
	const text = $('text').value;
	if (text.trim() && run && !run.over)
		send(text);
});
$('text').addEventListener('keydown', (key) => {
	if (key.key === 'Enter' && !key.shiftKey && !key.isComposing) {
		key.preventDefault();
		$('form').requestSubmit();
	} else if (key.key === 'Escape')
		($('runs').querySelector('[aria-current]') ?? $('runs').querySelector('button'))?.focus();
});
$('cancel').addEventListener('click', () => {
	ask('POST', path('api', 'agents', 'runs', run.id, 'cancel'), { reason: 'cancelled on the status page' }).then(fine, failed);
});
$('filter').addEventListener('input', () => {
	for (const item of $('events').children)
		item.hidden = !matches(item);
});
$('theme').addEventListener('click', () => {
	const now = THEMES.findIndex(([theme]) => theme === (localStorage.getItem('theme') ?? ''));
	setTheme(THEMES[(now + 1) % THEMES.length][0]);
});
arrows($('agents'));
arrows($('runs'));
setTheme(localStorage.getItem('theme') ?? '');
start();
