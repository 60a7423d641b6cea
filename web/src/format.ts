/** Numbers and times as the reader's system has them, with the zone where it matters. */

const plain = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

export const count = (n: number): string => plain.format(n);

/** A number with its noun: 1 letter, 2 letters. */
export const some = (n: number, noun: string): string => `${plain.format(n)} ${noun}${n === 1 ? '' : 's'}`;

export const rate = (n: number): string => short.format(n);

/** A share of all, from 0 to 1. What is not all is not rounded to all. */
export function percent(part: number): string {
  const p = 100 * part;
  return `${short.format(p < 100 && p > 99.9 ? 99.9 : p)} %`;
}

/** A short time, with as many digits as matter. */
export const seconds = (s: number): string =>
  s < 1 ? `${plain.format(Math.round(s * 1000))} ms` : s < 60 ? `${short.format(s)} s` : span(s);

/** A sum of dollars, of which small ones are not nothing. */
export const dollars = (usd: number): string =>
  usd > 0 && usd < 0.01
    ? `< $${plain.format(0.01)}`
    : `$${new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(usd)}`;

export const bytes = (n: number): string => `${plain.format(n)} B`;

export const share = (part: number, whole: number): number => (whole <= 0 ? 0 : Math.min(1, Math.max(0, part / whole)));

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });

export const time = (iso: string | undefined): string => (iso ? moment.format(new Date(iso)) : '');

export const timeWithZone = (iso: string): string => zoned.format(new Date(iso));

/** A span in the two largest units that it has: 2 d 3 h, 1 min 5 s, 12 s. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts: string[] = [];
  for (const [name, size] of [
    ['d', 86400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const) {
    const n = Math.floor((whole % (name === 'd' ? Infinity : size * (name === 'h' ? 24 : 60))) / size);
    if (n > 0 && parts.length < 2) parts.push(`${String(n)} ${name}`);
    else if (parts.length > 0) break;
  }
  return parts.join(' ') || '0 s';
}

export const ago = (iso: string, now: number = Date.now()): string => `${span((now - Date.parse(iso)) / 1000)} ago`;

/** What is not a printable character, as its code, so that no label can hide or turn anything around. */
export function visible(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const words: Record<string, string> = {
  dead_lettered: 'dead-lettered',
  would_send: 'would be sent',
  would_fail_again: 'would fail again',
  breaker_open: 'breaker is open',
  already_delivered: 'delivered already',
  maybe_delivered: 'may have been delivered',
  in_delivery: 'in delivery now',
  device_gone: 'device is gone',
  opted_out: 'opted out',
  notification_gone: 'notification is gone',
  patch_invalid: 'edit does not fit',
  half_open: 'half open',
};

/** A word of the API as people read it. */
export const word = (code: string): string => words[code] ?? code.replaceAll('_', ' ');
