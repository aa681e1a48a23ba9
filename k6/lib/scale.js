// SCALE shortens a script: it multiplies the durations of the stages and their users or
// rates. 1 (the default) is the whole script, 0.1 a tenth of the time with a tenth of the
// users.

const scale = Number(__ENV.SCALE || 1);
if (!(scale > 0 && scale <= 10)) {
  throw new Error(`SCALE is "${__ENV.SCALE}"; it must be a number above 0, at most 10`);
}

// Stages from [seconds, target] pairs.
export function stages(pairs) {
  return pairs.map(([seconds, target]) => ({
    duration: `${Math.max(1000, Math.round(seconds * scale * 1000))}ms`,
    target: Math.ceil(target * scale),
  }));
}

export function users(count) {
  return Math.max(1, Math.ceil(count * scale));
}
