import type { components, paths } from './schema';

export type Schemas = components['schemas'];

/** What the server said when it did not do what was asked for. */
export class Refused extends Error {
  readonly status: number;
  readonly problem: Partial<Schemas['Problem']>;

  constructor(status: number, problem: Partial<Schemas['Problem']>) {
    super(problem.detail ?? problem.title ?? `the server answered ${String(status)}`);
    this.status = status;
    this.problem = problem;
  }
}

/** Who is signed in, as GET /console/session has it. */
export type Session = Schemas['Session'];

let csrf = '';

/** Takes the token that belongs to the session's cookie. */
export function remember(s: Session): void {
  csrf = s.csrf ?? '';
}

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** The paths of the API that have a method. */
type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];

type JSONOf<R> = R extends { content: { 'application/json': infer B } } ? B : undefined;
type Good<R> = R extends { 200: infer A; 201: infer B }
  ? JSONOf<A> | JSONOf<B>
  : R extends { 200: infer A }
    ? JSONOf<A>
    : R extends { 201: infer A }
      ? JSONOf<A>
      : undefined;
type Answer<P extends keyof paths, M extends Method> = paths[P] extends Record<M, { responses: infer R }> ? Good<R> : never;
type Body<P extends keyof paths, M extends Method> =
  paths[P] extends Record<M, { requestBody?: { content: { 'application/json': infer B } } | undefined }> ? B : undefined;
type Query<P extends keyof paths, M extends Method> =
  paths[P] extends Record<M, { parameters: { query?: infer Q } }> ? NonNullable<Q> : Record<string, never>;

export interface Options<P extends keyof paths, M extends Method> {
  path?: Record<string, string>;
  query?: Query<P, M>;
  body?: Body<P, M>;
  signal?: AbortSignal;
  /** Repeats with the same key get the first answer. */
  once?: string;
}

/** Calls the API. The error is a Refused, or of fetch if no answer came. */
export async function call<M extends Method, P extends PathOf<M>>(
  method: M,
  path: P,
  o: Options<P, M> = {},
): Promise<Answer<P, M>> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (o.body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'get' && csrf !== '') headers['X-Belfry-CSRF'] = csrf;
  if (o.once !== undefined) headers['Idempotency-Key'] = o.once;
  const response = await fetch(address(path, o.path, o.query), {
    method: method.toUpperCase(),
    headers,
    body: o.body === undefined ? undefined : JSON.stringify(o.body),
    signal: o.signal,
    credentials: 'same-origin',
  });
  const text = await response.text();
  if (!response.ok) throw new Refused(response.status, parsed(text));
  return (text === '' ? undefined : JSON.parse(text)) as Answer<P, M>;
}

/** Uploads a file of recipients, as it is: its name says whether it is CSV, and how it is compressed. */
export async function upload(id: string, file: File, signal?: AbortSignal): Promise<Schemas['UploadResult']> {
  const [, name, packed] = /^(.*?)(\.gz|\.zst)?$/i.exec(file.name) ?? [];
  const headers: Record<string, string> = {
    Accept: 'application/json',
    'Content-Type': name?.toLowerCase().endsWith('.csv') ? 'text/csv' : 'application/x-ndjson',
  };
  if (packed) headers['Content-Encoding'] = packed.toLowerCase() === '.gz' ? 'gzip' : 'zstd';
  if (csrf !== '') headers['X-Belfry-CSRF'] = csrf;
  const at = address('/v1/batches/{id}/recipients', { id }, { offset: 1 });
  const response = await fetch(at, { method: 'POST', headers, body: file, signal, credentials: 'same-origin' });
  const text = await response.text();
  if (!response.ok) throw new Refused(response.status, parsed(text));
  return JSON.parse(text) as Schemas['UploadResult'];
}

function parsed(text: string): Partial<Schemas['Problem']> {
  try {
    return JSON.parse(text) as Partial<Schemas['Problem']>;
  } catch {
    return {};
  }
}

/** The address of a call: placeholders filled, what is not given left out of the query. */
export function address(path: string, fill: Record<string, string> = {}, query: object = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(fill[name] ?? ''));
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query) as [string, unknown][]) {
    for (const v of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (v !== undefined && v !== null && v !== '') q.append(name, String(v));
    }
  }
  return q.size === 0 ? filled : `${filled}?${q.toString()}`;
}

/** A key for a call that must happen once, however often it is sent. */
export const onceKey = (): string => crypto.getRandomValues(new Uint32Array(4)).join('-');

/** The keys of one intention: the same body has the same key, however often it is sent, and a corrected one a new key. */
export class Once {
  readonly #keys = new Map<string, string>();

  of(body: unknown): string {
    const text = JSON.stringify(body);
    const key = this.#keys.get(text) ?? onceKey();
    this.#keys.set(text, key);
    return key;
  }
}
