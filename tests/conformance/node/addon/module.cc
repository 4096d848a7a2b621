// The addon's frame: what belongs to one Node environment, errors, and the loop's controls.

#include "fields.h"

namespace parley::binding {

Instance& instanceOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Instance*>(data);
}

JsFunction::Body::Body(napi_env e, napi_value function)
    : env(e), loop(instanceOf(e).driver->loop()) {
  napi_create_reference(e, function, 1, &ref);
}

JsFunction::Body::~Body() {
  if (std::this_thread::get_id() == thread) {
    if (instanceOf(env).driver) napi_delete_reference(env, ref);
    return;
  }
  const std::shared_ptr<Loop> home = loop.lock();
  if (home) home->post([e = env, r = ref] { napi_delete_reference(e, r); });
}

bool JsFunction::Body::alive() const {
  return instanceOf(env).driver != nullptr;
}

void JsFunction::Body::call(const std::vector<napi_value>& values) const {
  napi_value function, global, result;
  napi_get_reference_value(env, ref, &function);
  napi_get_global(env, &global);
  if (napi_call_function(env, global, function, values.size(), values.data(), &result) ==
      napi_pending_exception) {
    napi_value error;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
}

napi_value Js<Error>::to(napi_env env, const Error& error) {
  napi_value out;
  napi_create_object(env, &out);
  const auto set = [&](const char* name, napi_value value) {
    napi_set_named_property(env, out, name, value);
  };
  set("name", text(env, toString(error.code)));
  set("message", text(env, error.message));
  if (!error.detail) return out;
  set("errorDetail", text(env, toString(*error.detail)));
  set("sdpLineNumber", Js<std::optional<int>>::to(env, error.sdpLineNumber));
  set("sctpCauseCode", Js<std::optional<uint16_t>>::to(env, error.sctpCauseCode));
  set("receivedAlert", Js<std::optional<uint32_t>>::to(env, error.receivedAlert));
  set("sentAlert", Js<std::optional<uint32_t>>::to(env, error.sentAlert));
  return out;
}

namespace {

/// start(cycle): from now on `cycle` is called whenever the loop has work.
napi_value start(napi_env env, napi_callback_info info) {
  napi_value cycle;
  size_t count = 1;
  napi_get_cb_info(env, info, &count, &cycle, nullptr, nullptr);
  Instance& instance = instanceOf(env);
  if (!instance.driver) instance.driver = std::make_unique<Driver>(env, cycle);
  return undefined(env);
}

void process(const Context& context) {
  context.instance.driver->process();
}
void setReferenced(const Context& context, bool referenced) {
  context.instance.driver->setReferenced(referenced);
}
void deliverSettled(const Context& context) {
  context.loop()->deliverSettled();
}
void wake(const Context& context) {
  context.loop()->wake();
}

napi_value init(napi_env env, napi_value exports) {
  auto* instance = new Instance{env, nullptr, false};
  napi_set_instance_data(
      env, instance, [](napi_env, void* data, void*) { delete static_cast<Instance*>(data); },
      nullptr);
  napi_add_env_cleanup_hook(
      env, [](void* data) { static_cast<Instance*>(data)->driver.reset(); }, instance);
  napi_value function;
  napi_create_function(env, "start", NAPI_AUTO_LENGTH, &start, nullptr, &function);
  napi_set_named_property(env, exports, "start", function);
  add<process>(env, exports, "process");
  add<setReferenced>(env, exports, "setReferenced");
  add<deliverSettled>(env, exports, "deliverSettled");
  add<wake>(env, exports, "wake");
  addConnectionFunctions(env, exports);
  addTransportFunctions(env, exports);
  addTransformFunctions(env, exports);
  addMediaFunctions(env, exports);
  addChannelFunctions(env, exports);
  return exports;
}

}  // namespace

NAPI_MODULE(parley, init)

}  // namespace parley::binding
