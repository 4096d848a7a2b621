'use strict';
// The runtime under the generated classes: WebIDL's conversions, overloads, brands and event handlers.

const { setMaxListeners } = require('node:events');

const internal = Symbol('internal');
const states = new WeakMap();
const implementations = new Map();
const classes = new Map();
const handlers = new WeakMap();

// --- types ---------------------------------------------------------------------------------------

const isObject = (v) => (typeof v === 'object' && v !== null) || typeof v === 'function';
const fail = (name, what) => { throw new TypeError(`${name}: ${what}`); };

const limits = { byte: [8, true], octet: [8, false], short: [16, true], 'unsigned short': [16, false], long: [32, true],
  'unsigned long': [32, false], 'long long': [64, true], 'unsigned long long': [64, false] };

function toNumber(v, name) {
  if (typeof v === 'bigint') fail(name, 'a BigInt is no number');
  return Number(v);
}

function integer(typeName, mode) {
  const [bits, signed] = limits[typeName];
  const upper = bits === 64 ? 2 ** 53 - 1 : 2 ** (signed ? bits - 1 : bits) - 1;
  const lower = signed ? (bits === 64 ? -(2 ** 53) + 1 : -(2 ** (bits - 1))) : 0;
  return (v, name) => {
    let x = toNumber(v, name);
    if (mode === 'enforce') {
      if (!Number.isFinite(x)) fail(name, 'not a finite number');
      x = Math.trunc(x) + 0;
      if (x < lower || x > upper) fail(name, `outside the range of ${typeName}`);
      return x;
    }
    if (mode === 'clamp') {
      if (Number.isNaN(x)) return 0;
      x = Math.min(Math.max(x, lower), upper);
      const down = Math.floor(x);
      if (x - down < 0.5) return down + 0;
      if (x - down > 0.5) return down + 1;
      return down % 2 === 0 ? down + 0 : down + 1;
    }
    if (!Number.isFinite(x) || x === 0) return 0;
    const wrapped = signed ? BigInt.asIntN(bits, BigInt(Math.trunc(x))) : BigInt.asUintN(bits, BigInt(Math.trunc(x)));
    return Number(wrapped);
  };
}

function DOMString(v, name) {
  if (typeof v === 'symbol') fail(name, 'a symbol is no string');
  return String(v);
}

const dictionaries = new Map();

function convertDictionary(name, v, context) {
  if (v !== undefined && v !== null && !isObject(v)) fail(context, `not a ${name}`);
  const out = {};
  const chain = [];
  for (let at = dictionaries.get(name); at; at = dictionaries.get(at.parent)) chain.unshift(at);
  for (const entry of chain) {
    entry.members ??= entry.build();
    for (const [member, convert, options] of entry.members) {
      const value = isObject(v) ? v[member] : undefined;
      if (value !== undefined) out[member] = convert(value, `${context}.${member}`);
      else if (options.fallback) out[member] = convert === types.any ? options.fallback() : convert(options.fallback(), member);
      else if (options.required) fail(context, `required member ${member} is undefined`);
    }
  }
  return out;
}

function sequence(convert) {
  return (v, name) => {
    if (!isObject(v)) fail(name, 'not a sequence');
    const method = v[Symbol.iterator];
    if (typeof method !== 'function') fail(name, 'not a sequence');
    const out = [];
    for (const item of { [Symbol.iterator]: () => method.call(v) }) out.push(convert(item, `${name}[${out.length}]`));
    return out;
  };
}

function union(build) {
  let members;
  return (v, name) => {
    members ??= build();
    const of = (looks) => members.find((m) => m[0] === looks)?.[1];
    if ((v === null || v === undefined) && of('dictionary')) return of('dictionary')(v, name);
    if (isObject(v)) {
      for (const [looks, convert] of members) {
        if (looks !== 'interface' && looks !== 'union') continue;
        try { return convert(v, name); } catch { /* another member may fit */ }
      }
      if (of('sequence') && typeof v[Symbol.iterator] === 'function') return of('sequence')(v, name);
      if (of('dictionary')) return of('dictionary')(v, name);
    }
    if (typeof v === 'boolean' && of('boolean')) return of('boolean')(v, name);
    if (typeof v === 'number' && of('number')) return of('number')(v, name);
    if (typeof v === 'bigint' && of('bigint')) return v;
    const last = of('string') ?? of('number') ?? of('boolean');
    return last ? last(v, name) : fail(name, 'of none of the types that are possible');
  };
}

const foreign = {
  Blob: (v) => typeof Blob !== 'undefined' && (v instanceof Blob || Object.prototype.toString.call(v) === '[object Blob]'),
  // Also another one than ours, of a runner of pages' tests.
  Worker: (v) => typeof v.postMessage === 'function' && typeof v.terminate === 'function',
  ArrayBuffer: (v) => Object.prototype.toString.call(v) === '[object ArrayBuffer]',
};

const types = {
  any: (v) => v,
  object: (v, name) => (isObject(v) ? v : fail(name, 'not an object')),
  boolean: (v) => Boolean(v),
  bigint: (v) => BigInt(v),
  double(v, name) {
    const x = toNumber(v, name);
    return Number.isFinite(x) ? x : fail(name, 'not a finite number');
  },
  unrestricted: toNumber,
  DOMString,
  USVString: (v, name) => DOMString(v, name).replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (s) => (s.length === 2 ? s : '\ufffd')),
  integer,
  callback: (v, name) => (typeof v === 'function' ? v : fail(name, 'not a function')),
  algorithm: (v, name) => (isObject(v) ? v : DOMString(v, name)),
  ArrayBuffer: (v, name) => (foreign.ArrayBuffer(v) ? v : fail(name, 'not an ArrayBuffer')),
  ArrayBufferView: (v, name) => (ArrayBuffer.isView(v) ? v : fail(name, 'not a view of an ArrayBuffer')),
  nullable: (convert) => (v, name) => (v === null || v === undefined ? null : convert(v, name)),
  sequence,
  union,
  enumeration: (enumName, values) => (v, name) => {
    const text = DOMString(v, name);
    return values.includes(text) ? text : fail(name, `'${text}' is no ${enumName}`);
  },
  dictionary: (dictionaryName) => (v, name) => convertDictionary(dictionaryName, v, name),
  interface: (interfaceName) => (v, name) => {
    if (isObject(v)) {
      if (isA(v, interfaceName) || foreign[interfaceName]?.(v)) return v;
      const outer = globalThis[interfaceName];
      if (!classes.has(interfaceName) && typeof outer === 'function' && v instanceof outer) return v;
    }
    return fail(name, `not a ${interfaceName}`);
  },
  defineDictionary: (name, parent, build) => dictionaries.set(name, { parent, build }),
};

// --- calls ---------------------------------------------------------------------------------------

function fits(looks, convert, v) {
  switch (looks) {
    case 'interface': try { convert(v, ''); return true; } catch { return false; }
    case 'sequence': return isObject(v) && typeof v[Symbol.iterator] === 'function';
    case 'dictionary': return v === undefined || v === null || isObject(v);
    default: return looks === 'string' ? 'fallback' : false;
  }
}

// WebIDL 3.6, as far as the overloads of these interfaces need it.
function choose(list, overloads, what) {
  if (overloads.length === 1) return overloads[0];
  const most = Math.max(...overloads.map((o) => o.length));
  const count = Math.min(list.length, most);
  const able = overloads.filter((o) => o.filter((p) => !p[2].optional && !p[2].variadic).length <= count && o.length >= count);
  if (able.length === 0) fail(what, `not enough arguments (${list.length})`);
  if (able.length === 1 || count === 0) return able[0];
  const verdicts = able.map((o) => fits(o[0][2].looks, o[0][1], list[0]));
  const at = verdicts.indexOf(true) >= 0 ? verdicts.indexOf(true) : verdicts.indexOf('fallback');
  return at >= 0 ? able[at] : fail(what, 'no overload takes such arguments');
}

function args(list, what, overloads) {
  const parameters = choose(list, overloads, what);
  const required = parameters.filter((p) => !p[2].optional && !p[2].variadic).length;
  if (list.length < required) fail(what, `${required} argument(s) required, but only ${list.length} present`);
  const out = [];
  parameters.forEach(([name, convert, options], i) => {
    if (options.variadic) {
      for (let at = i; at < list.length; at++) out.push(convert(list[at], `${what}: ${name}`));
    } else if (i < list.length && !(list[i] === undefined && options.optional)) {
      out.push(convert(list[i], `${what}: ${name}`));
    } else {
      out.push(options.fallback ? convert(options.fallback(), `${what}: ${name}`) : undefined);
    }
  });
  return out;
}

// Browsers have the helper methods of iterators, Node has them from version 22 on.
const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf(new Map().values()));
const helpers = ['find', 'filter', 'map', 'some', 'every', 'reduce', 'flatMap'];
function withHelpers(iterator) {
  if (iteratorPrototype.find) return iterator;
  for (const name of helpers) Object.defineProperty(iterator, name, { value: (...given) => [...iterator][name](...given) });
  return Object.defineProperty(iterator, 'toArray', { value: () => [...iterator] });
}

// --- brands --------------------------------------------------------------------------------------

function isA(object, name) {
  const record = states.get(object);
  for (let cls = record && classes.get(record.name); cls; cls = classes.get(cls.parentName)) {
    if (cls.name === name) return true;
  }
  return false;
}

function brand(object, name) {
  if (!isObject(object) || !isA(object, name)) throw new TypeError(`Illegal invocation: not a ${name}`);
  return object;
}

const rt = {
  types,
  args,
  brand,
  isInternal: (token) => token === internal,
  state: (object, name) => states.get(brand(object, name)).state,
  /// The state behind a wrapper that has passed a conversion.
  of: (object) => states.get(object)?.state,
  isA,
  bind(object, name, state) {
    states.set(object, { name, state });
    if (isObject(state) && state.wrapper === undefined) state.wrapper = object;
    if (object instanceof EventTarget) setMaxListeners(0, object);
  },
  /// Makes the object of an interface that pages cannot construct.
  create(name, state) {
    return new (classes.get(name).cls)(internal, state);
  },
  createEvent: (name, type, state) => new (classes.get(name).cls)(internal, type, state),
  implement(name, implementation) {
    implementations.set(name, implementation);
  },
  implementation: (name) => implementations.get(name),
  construct: (wrapper, name, given) => new (implementations.get(name))(wrapper, ...given),
  call(state, name, given) {
    return state[name](...given);
  },
  promise: (value) => (value instanceof Promise ? value : Promise.resolve(value)),
  eventState(init, defaults) {
    const out = { wrapper: null };
    for (const name of Object.keys(defaults)) {
      const value = init?.[name] ?? defaults[name];
      out[name] = Array.isArray(value) ? Object.freeze([...value]) : value;
    }
    return out;
  },

  getHandler: (target, name) => handlers.get(target)?.get(name)?.value ?? null,
  setHandler(target, name, value) {
    if (!handlers.has(target)) handlers.set(target, new Map());
    const own = handlers.get(target);
    if (!own.has(name)) own.set(name, { value: null, listener: null });
    const entry = own.get(name);
    const type = name.slice(2);
    entry.value = isObject(value) ? value : null;
    if (entry.value === null) {
      if (entry.listener) target.removeEventListener(type, entry.listener);
      entry.listener = null;
    } else if (!entry.listener) {
      entry.listener = (event) => {
        if (typeof entry.value !== 'function') return;
        if (entry.value.call(target, event) === false) event.preventDefault();
      };
      target.addEventListener(type, entry.listener);
    }
  },

  finish(cls, name, names, staticNames, maplike) {
    classes.set(name, { cls, name, parentName: Object.getPrototypeOf(cls).name });
    const enumerable = (holder, key) => Object.defineProperty(holder, key, { ...Object.getOwnPropertyDescriptor(holder, key), enumerable: true });
    if (maplike) {
      const map = (self) => rt.state(self, name).map;
      const methods = {
        get size() { return map(this).size; },
        get(key) { return args(arguments, `${name}.get`, [[['key', DOMString, {}]]]) && map(this).get(String(key)); },
        has(key) { return args(arguments, `${name}.has`, [[['key', DOMString, {}]]]) && map(this).has(String(key)); },
        entries() { return withHelpers(map(this).entries()); },
        keys() { return withHelpers(map(this).keys()); },
        values() { return withHelpers(map(this).values()); },
        forEach(callback) {
          const own = map(this);
          const [fn] = args(arguments, `${name}.forEach`, [[['callback', types.callback, {}]]]);
          own.forEach((value, key) => fn.call(arguments[1], value, key, this));
        },
      };
      Object.defineProperties(cls.prototype, Object.getOwnPropertyDescriptors(methods));
      Object.defineProperty(cls.prototype, Symbol.iterator, { value: cls.prototype.entries, writable: true, configurable: true });
      names.push('size', 'get', 'has', 'entries', 'keys', 'values', 'forEach');
    }
    for (const key of names) enumerable(cls.prototype, key);
    for (const key of staticNames) enumerable(cls, key);
    Object.defineProperty(cls.prototype, Symbol.toStringTag, { value: name, configurable: true });
  },
};

module.exports = rt;
