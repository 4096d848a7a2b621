'use strict';
// node idl/generate.js OUT.js: reads the WebIDL of the specifications and writes the classes that a page would see.
// What they do is in lib/; here is only what the IDL says: names, lengths, conversions, descriptors.

const fs = require('node:fs');
const path = require('node:path');
const webidl2 = require('webidl2');

const specifications = ['webrtc', 'webrtc-priority', 'webrtc-svc', 'mediacapture-streams', 'mst-content-hint',
  'webrtc-encoded-transform'];
// Of other interfaces in those files there is nothing here; README.md says why.
const wanted = new Set(['RTCPeerConnection', 'RTCSessionDescription', 'RTCIceCandidate', 'RTCPeerConnectionIceEvent',
  'RTCPeerConnectionIceErrorEvent', 'RTCCertificate', 'RTCRtpSender', 'RTCRtpReceiver', 'RTCRtpTransceiver',
  'RTCDtlsTransport', 'RTCIceTransport', 'RTCIceCandidatePair', 'RTCTrackEvent', 'RTCSctpTransport', 'RTCDataChannel',
  'RTCDataChannelEvent', 'RTCDTMFSender', 'RTCDTMFToneChangeEvent', 'RTCStatsReport', 'RTCError', 'RTCErrorEvent',
  'MediaStream', 'MediaStreamTrack', 'MediaStreamTrackEvent', 'OverconstrainedError', 'MediaDevices', 'MediaDeviceInfo',
  'InputDeviceInfo', 'DeviceChangeEvent', 'RTCEncodedVideoFrame', 'RTCEncodedAudioFrame', 'RTCRtpScriptTransform',
  'RTCRtpScriptTransformer', 'RTCTransformEvent', 'KeyFrameRequestEvent', 'RTCRtpSFrameEncryptor', 'RTCRtpSFrameDecryptor',
  'SFrameTransformErrorEvent', 'SFrameEncryptorStream', 'SFrameDecryptorStream', 'SFrameTransform']);
const skippedMembers = new Set();

function readAll() {
  const root = path.dirname(require.resolve('@webref/idl/package.json'));
  const files = specifications.map((name) => path.join(root, `${name}.idl`)).concat(path.join(__dirname, 'extra.idl'));
  return files.flatMap((file) => webidl2.parse(fs.readFileSync(file, 'utf8')));
}

// Partials and mixins are folded into what they belong to.
function fold(definitions) {
  const model = { interface: new Map(), dictionary: new Map(), enum: new Map(), typedef: new Map(), callback: new Map() };
  const mixins = new Map();
  const whole = definitions.filter((d) => !d.partial && d.type !== 'includes');
  for (const d of whole) {
    if (d.type === 'interface mixin') mixins.set(d.name, d);
    else model[d.type]?.set(d.name, { name: d.name, inheritance: d.inheritance, members: [...(d.members ?? [])], values: d.values,
      idlType: d.idlType, extAttrs: d.extAttrs });
  }
  for (const d of definitions) {
    if (d.partial && model[d.type]?.has(d.name)) model[d.type].get(d.name).members.push(...d.members);
    if (d.type === 'includes' && mixins.has(d.includes)) {
      model.interface.get(d.target)?.members.push(...mixins.get(d.includes).members);
    }
  }
  return model;
}

const model = fold(readAll());
const quote = (text) => `'${String(text).replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;
const attribute = (holder, name) => holder.extAttrs?.some((a) => a.name === name);
const integers = new Set(['byte', 'octet', 'short', 'unsigned short', 'long', 'unsigned long', 'long long',
  'unsigned long long']);
const aliases = { DOMHighResTimeStamp: 'double', EpochTimeStamp: 'unsigned long long', VoidFunction: 'callback' };

// The converter of a type, as source text over the runtime's combinators (lib/idl.js).
function converter(type, holders) {
  const bare = converterOfBare(type, [type, ...holders]);
  return type.nullable && bare !== 'T.any' ? `T.nullable(${bare})` : bare;
}
function converterOfBare(type, holders) {
  if (type.union) return `T.union(() => [${type.idlType.map((t) => describe(t, holders)).join(', ')}])`;
  if (type.generic === 'sequence' || type.generic === 'FrozenArray') return `T.sequence(${converter(type.idlType[0], [])})`;
  if (type.generic === 'Promise') return 'T.any';
  const name = aliases[type.idlType] ?? type.idlType;
  if (integers.has(name)) {
    const mode = holders.some((h) => attribute(h, 'EnforceRange')) ? 'enforce'
      : holders.some((h) => attribute(h, 'Clamp')) ? 'clamp' : 'wrap';
    return `T.integer(${quote(name)}, ${quote(mode)})`;
  }
  const simple = { boolean: 'T.boolean', DOMString: 'T.DOMString', USVString: 'T.USVString', ByteString: 'T.DOMString',
    double: 'T.double', float: 'T.double', 'unrestricted double': 'T.unrestricted', any: 'T.any', object: 'T.object',
    undefined: 'T.any', bigint: 'T.bigint', callback: 'T.callback', EventHandler: 'T.any', ArrayBuffer: 'T.ArrayBuffer',
    ArrayBufferView: 'T.ArrayBufferView', AlgorithmIdentifier: 'T.algorithm' };
  if (simple[name]) return simple[name];
  if (model.typedef.has(name)) return converter(model.typedef.get(name).idlType, holders);
  if (model.enum.has(name)) return `T.enumeration(${quote(name)}, [${model.enum.get(name).values.map((v) => quote(v.value)).join(', ')}])`;
  if (model.dictionary.has(name)) return `T.dictionary(${quote(name)})`;
  if (model.callback.has(name)) return 'T.callback';
  return `T.interface(${quote(name)})`;
}

// For a union: what a value of the member type looks like.
function describe(type, holders) {
  const name = aliases[type.idlType] ?? type.idlType;
  let looks = 'interface';
  if (type.union) looks = 'union';
  else if (type.generic === 'sequence') looks = 'sequence';
  else if (integers.has(name) || name === 'double') looks = 'number';
  else if (name === 'boolean' || name === 'bigint' || name === 'object') looks = name;
  else if (name === 'DOMString' || name === 'USVString' || model.enum.has(name)) looks = 'string';
  else if (model.dictionary.has(name)) looks = 'dictionary';
  else if (model.typedef.has(name)) return describe(model.typedef.get(name).idlType, holders);
  return `[${quote(looks)}, ${converter(type, holders)}]`;
}

function literal(value) {
  if (!value) return undefined;
  if (value.type === 'sequence') return '() => []';
  if (value.type === 'dictionary') return '() => ({})';
  if (value.type === 'null') return '() => null';
  if (value.type === 'string') return `() => ${quote(value.value)}`;
  return `() => ${value.value}`;
}

function dictionary(d) {
  const members = [...d.members].sort((a, b) => (a.name < b.name ? -1 : 1)).map((m) => {
    const extras = [m.required ? 'required: true' : '', m.default ? `fallback: ${literal(m.default)}` : ''].filter(Boolean);
    return `  [${quote(m.name)}, ${converter(m.idlType, [m])}, { ${extras.join(', ')} }],`;
  });
  return `T.defineDictionary(${quote(d.name)}, ${d.inheritance ? quote(d.inheritance) : 'null'}, () => [\n${members.join('\n')}\n]);`;
}

function signature(args) {
  const list = args.map((a) => {
    const dictionaryDefault = a.optional && model.dictionary.has(a.idlType.idlType) && !a.idlType.nullable;
    const fallback = literal(a.default) ?? (dictionaryDefault ? '() => ({})' : undefined);
    const extras = [a.optional ? 'optional: true' : '', a.variadic ? 'variadic: true' : '',
      fallback ? `fallback: ${fallback}` : '', `looks: ${describe(a.idlType, [a]).split(',')[0].slice(1)}`];
    return `[${quote(a.name)}, ${converter(a.idlType, [a])}, { ${extras.filter(Boolean).join(', ')} }]`;
  });
  return `[${list.join(', ')}]`;
}
const signatures = (operations) => `[${operations.map((o) => signature(o.arguments)).join(', ')}]`;
// The formal parameters that give the function its length: of the overload that asks for least.
function formals(operations) {
  const lists = operations.map((o) => o.arguments.filter((a) => !a.optional && !a.variadic).map((a) => a.name));
  return lists.sort((a, b) => a.length - b.length)[0].join(', ');
}

function isPromise(operation) {
  return operation.idlType?.generic === 'Promise';
}

function emitOperation(name, operations, statics, className) {
  const prefix = statics ? 'static ' : '';
  const receiver = statics ? `rt.implementation(${quote(className)})` : `rt.state(this, ${quote(className)})`;
  const call = `rt.call(${receiver}, ${quote(name)}, rt.args(arguments, ${quote(`${className}.${name}`)}, signatures.${className}_${name}))`;
  if (operations.some(isPromise)) {
    return `  ${prefix}${name}(${formals(operations)}) {\n    try { return rt.promise(${call}); } catch (e) { return Promise.reject(e); }\n  }`;
  }
  return `  ${prefix}${name}(${formals(operations)}) { return ${call}; }`;
}

function emitAttribute(a, className) {
  if (a.idlType.idlType === 'EventHandler') {
    return `  get ${a.name}() { return rt.getHandler(rt.brand(this, ${quote(className)}), ${quote(a.name)}); }\n`
      + `  set ${a.name}(value) { rt.setHandler(rt.brand(this, ${quote(className)}), ${quote(a.name)}, value); }`;
  }
  let text = `  get ${a.name}() { return rt.state(this, ${quote(className)}).${a.name}; }`;
  if (a.readonly) return text;
  // WebIDL: an enum attribute ignores a value that is no member.
  const assign = `state.${a.name} = ${converter(a.idlType, [a])}(value, ${quote(`${className}.${a.name}`)})`;
  const guarded = model.enum.has(a.idlType.idlType)
    ? `if (!${JSON.stringify(model.enum.get(a.idlType.idlType).values.map((v) => v.value))}.includes(String(value))) return; ${assign}` : assign;
  text += `\n  set ${a.name}(value) { const state = rt.state(this, ${quote(className)}); ${guarded}; }`;
  return text;
}

function emitConstructor(d, constructors, isEvent) {
  const name = quote(d.name);
  const inherits = Boolean(d.inheritance);
  const lines = [`  constructor(${constructors.length ? formals(constructors) : ''}) {`];
  const internal = 'rt.isInternal(arguments[0])';
  if (!constructors.length) lines.push(`    if (!${internal}) throw new TypeError('Illegal constructor');`);
  if (isEvent) {
    if (constructors.length && !model.dictionary.has(constructors[0].arguments[1].idlType.idlType)) {
      const second = constructors[0].arguments[1].name;
      lines.push(`    const given = rt.args(arguments, ${name}, signatures.${d.name});`);
      lines.push(`    super(given[0]); rt.bind(this, ${name}, rt.eventState({ ${second}: given[1] }, attributes.${d.name}));`);
    } else if (constructors.length) {
      lines.push(`    const given = rt.args(arguments, ${name}, signatures.${d.name});`);
      lines.push(`    super(given[0], given[1]); rt.bind(this, ${name}, rt.eventState(given[1], attributes.${d.name}));`);
    } else {
      lines.push(`    super(arguments[1], {}); rt.bind(this, ${name}, arguments[2]);`);
    }
  } else if (d.inheritance === 'DOMException') {
    lines.push(`    const given = rt.args(arguments, ${name}, signatures.${d.name});`);
    lines.push(`    super(given[1], rt.implementation(${name}).exceptionName); rt.bind(this, ${name}, rt.construct(this, ${name}, given));`);
  } else {
    lines.push(`    if (${internal}) { ${inherits && d.inheritance !== 'EventTarget' ? 'super(...arguments)' : inherits ? 'super()' : ''}; rt.bind(this, ${name}, arguments[1]); return; }`);
    if (constructors.length) {
      lines.push(`    const given = rt.args(arguments, ${name}, signatures.${d.name});`);
      lines.push(`    ${inherits ? 'super();' : ''} rt.bind(this, ${name}, rt.construct(this, ${name}, given));`);
    } else if (inherits) lines.push(`    super();`);
  }
  lines.push('  }');
  return lines.join('\n');
}

function emitInterface(d) {
  const members = d.members.filter((m) => !skippedMembers.has(m.name));
  const constructors = members.filter((m) => m.type === 'constructor');
  const attributes = members.filter((m) => m.type === 'attribute');
  const groups = new Map();
  for (const m of members.filter((x) => x.type === 'operation' && x.name)) groups.set(m.name, [...(groups.get(m.name) ?? []), m]);
  const isEvent = d.inheritance === 'Event';
  const before = [];
  const parts = [emitConstructor(d, constructors, isEvent)];
  if (constructors.length) before.push(`signatures.${d.name} = ${signatures(constructors)};`);
  if (isEvent) {
    const defaults = attributes.map((a) => `${a.name}: ${a.idlType.nullable ? 'null' : a.idlType.generic === 'FrozenArray' ? '[]' : "''"}`);
    before.push(`attributes.${d.name} = { ${defaults.join(', ')} };`);
  }
  const names = [];
  const staticNames = [];
  for (const a of attributes) { parts.push(emitAttribute(a, d.name)); names.push(a.name); }
  for (const [name, operations] of groups) {
    const isStatic = operations[0].special === 'static';
    before.push(`signatures.${d.name}_${name} = ${signatures(operations)};`);
    if (attribute(operations[0], 'Default')) {
      const own = [d, model.interface.get(d.inheritance)].filter(Boolean).flatMap((i) => i.members).filter((m) => m.type === 'attribute').map((m) => m.name);
      parts.push(`  ${name}() { const state = rt.state(this, ${quote(d.name)}); return { ${own.map((n) => `${n}: state.${n}`).join(', ')} }; }`);
    } else parts.push(emitOperation(name, operations, isStatic, d.name));
    (isStatic ? staticNames : names).push(name);
  }
  const maplike = members.some((m) => m.type === 'maplike');
  const lines = [...before, `class ${d.name}${d.inheritance ? ` extends ${d.inheritance}` : ''} {`, parts.join('\n'), '}',
    `rt.finish(${d.name}, ${quote(d.name)}, ${JSON.stringify(names)}, ${JSON.stringify(staticNames)}, ${maplike});`];
  return lines.join('\n');
}

function generate() {
  const interfaces = [...model.interface.values()].filter((d) => wanted.has(d.name));
  // A parent comes before its children.
  interfaces.sort((a, b) => Number(wanted.has(a.inheritance)) - Number(wanted.has(b.inheritance)));
  const exposed = interfaces.map((d) => {
    const given = d.extAttrs?.find((a) => a.name === 'Exposed')?.rhs;
    const names = [given?.value ?? 'Window'].flat().map((v) => v.value ?? v);
    return `  ${d.name}: [${names.map(quote).join(', ')}],`;
  });
  const enums = [...model.enum.values()].map((e) => `  ${e.name}: [${e.values.map((v) => quote(v.value)).join(', ')}],`);
  return `'use strict';
// Written by idl/generate.js from the IDL of the specifications. Do not edit.
module.exports = (rt) => {
const T = rt.types;
const signatures = {};
const attributes = {};

${[...model.dictionary.values()].map(dictionary).join('\n')}

${interfaces.map(emitInterface).join('\n\n')}

return { interfaces: { ${interfaces.map((d) => d.name).join(', ')} }, exposed: {
${exposed.join('\n')}
}, enums: {
${enums.join('\n')}
} };
};
`;
}

const out = process.argv[2] ?? path.join(__dirname, '..', 'generated', 'interfaces.js');
fs.mkdirSync(path.dirname(out), { recursive: true });
fs.writeFileSync(out, generate());
