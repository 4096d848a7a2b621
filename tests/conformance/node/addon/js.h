#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <node_api.h>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/result.h"
#include "parley/base/units.h"

#include "driver.h"

// Values between JavaScript and C++. The JavaScript side has converted and checked what it hands
// over (WebIDL), so that a value of another type is a mistake of the binding's own; it reads as the
// default.

namespace parley::binding {

/// What belongs to one Node environment; the addon's instance data. Held by whatever outlives it.
struct Instance {
  napi_env env = nullptr;
  std::unique_ptr<Driver> driver;
  bool ffmpegCodecs = false;  ///< of connections made from now on
};
Instance& instanceOf(napi_env env);

inline napi_value undefined(napi_env env) {
  napi_value out;
  napi_get_undefined(env, &out);
  return out;
}
inline napi_value null(napi_env env) {
  napi_value out;
  napi_get_null(env, &out);
  return out;
}
inline napi_value text(napi_env env, std::string_view value) {
  napi_value out;
  napi_create_string_utf8(env, value.data(), value.size(), &out);
  return out;
}
inline bool isAbsent(napi_env env, napi_value value) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  return type == napi_undefined || type == napi_null;
}

/// `to` makes a JavaScript value, `from` reads one.
template <class T, class = void>
struct Js;

template <>
struct Js<bool> {
  static napi_value to(napi_env env, bool value) {
    napi_value out;
    napi_get_boolean(env, value, &out);
    return out;
  }
  static bool from(napi_env env, napi_value value) {
    bool out = false;
    napi_get_value_bool(env, value, &out);
    return out;
  }
};

template <class T>
struct Js<T, std::enable_if_t<std::is_arithmetic_v<T>>> {
  static napi_value to(napi_env env, T value) {
    napi_value out;
    napi_create_double(env, static_cast<double>(value), &out);
    return out;
  }
  static T from(napi_env env, napi_value value) {
    double out = 0;
    napi_get_value_double(env, value, &out);
    return static_cast<T>(out);
  }
};

template <>
struct Js<std::string> {
  static napi_value to(napi_env env, std::string_view value) { return text(env, value); }
  static std::string from(napi_env env, napi_value value) {
    size_t size = 0;
    if (napi_get_value_string_utf8(env, value, nullptr, 0, &size) != napi_ok) return {};
    std::string out(size, '\0');
    napi_get_value_string_utf8(env, value, out.data(), size + 1, &size);
    return out;
  }
};

template <>
struct Js<DataRate> {
  static napi_value to(napi_env env, DataRate value) { return Js<int64_t>::to(env, value.bps()); }
  static DataRate from(napi_env env, napi_value value) {
    return DataRate::bps(Js<int64_t>::from(env, value));
  }
};

/// An ArrayBuffer; reads views of one too.
template <>
struct Js<Bytes> {
  static napi_value to(napi_env env, const Bytes& value) {
    void* data = nullptr;
    napi_value out;
    napi_create_arraybuffer(env, value.size(), &data, &out);
    if (!value.empty()) std::memcpy(data, value.data(), value.size());
    return out;
  }
  static Bytes from(napi_env env, napi_value value) {
    void* data = nullptr;
    size_t size = 0;
    bool is = false;
    if (napi_is_arraybuffer(env, value, &is), is) {
      napi_get_arraybuffer_info(env, value, &data, &size);
    } else if (napi_is_typedarray(env, value, &is), is) {
      napi_get_typedarray_info(env, value, nullptr, &size, &data, nullptr, nullptr);
    }
    const auto* bytes = static_cast<const uint8_t*>(data);
    return bytes ? Bytes(bytes, bytes + size) : Bytes();
  }
};

template <class T>
struct Js<std::optional<T>> {
  static napi_value to(napi_env env, const std::optional<T>& value) {
    return value ? Js<T>::to(env, *value) : null(env);
  }
  static std::optional<T> from(napi_env env, napi_value value) {
    if (isAbsent(env, value)) return std::nullopt;
    return Js<T>::from(env, value);
  }
};

template <class T>
struct Js<std::vector<T>, std::enable_if_t<!std::is_same_v<std::vector<T>, Bytes>>> {
  static napi_value to(napi_env env, const std::vector<T>& value) {
    napi_value out;
    napi_create_array_with_length(env, value.size(), &out);
    for (size_t i = 0; i < value.size(); ++i)
      napi_set_element(env, out, static_cast<uint32_t>(i), Js<T>::to(env, value[i]));
    return out;
  }
  static std::vector<T> from(napi_env env, napi_value value) {
    std::vector<T> out;
    uint32_t size = 0;
    if (napi_get_array_length(env, value, &size) != napi_ok) return out;
    for (uint32_t i = 0; i < size; ++i) {
      napi_value item;
      napi_get_element(env, value, i, &item);
      out.push_back(Js<T>::from(env, item));
    }
    return out;
  }
};

template <class T>
struct Js<std::map<std::string, T>> {
  static napi_value to(napi_env env, const std::map<std::string, T>& value) {
    napi_value out;
    napi_create_object(env, &out);
    for (const auto& [key, item] : value)
      napi_set_named_property(env, out, key.c_str(), Js<T>::to(env, item));
    return out;
  }
};

template <class... T>
struct Js<std::variant<T...>> {
  static napi_value to(napi_env env, const std::variant<T...>& value) {
    return std::visit([env](const auto& v) { return Js<std::decay_t<decltype(v)>>::to(env, v); },
                      value);
  }
};

/// Dictionaries: `Fields<S>::visit(visitor, s)` calls `visitor("name", s.member)` for each.
template <class S>
struct Fields {};

template <class S>
struct Js<S, std::enable_if_t<Fields<S>::kDictionary>> {
  static napi_value to(napi_env env, const S& value) {
    napi_value out;
    napi_create_object(env, &out);
    Fields<S>::visit(
        [&](const char* name, const auto& member) {
          napi_set_named_property(env, out, name,
                                  Js<std::decay_t<decltype(member)>>::to(env, member));
        },
        value);
    return out;
  }
  static S from(napi_env env, napi_value value) {
    S out{};
    Fields<S>::visit(
        [&](const char* name, auto& member) {
          napi_value given;
          // What is not given keeps the default of the C++ structure.
          if (napi_get_named_property(env, value, name, &given) != napi_ok || isAbsent(env, given))
            return;
          member = Js<std::decay_t<decltype(member)>>::from(env, given);
        },
        out);
    return out;
  }
};

/// Enums by their W3C spelling: `Names<E>::all` lists the members.
template <class E>
struct Names {};

template <class E>
struct Js<E, std::void_t<decltype(Names<E>::all)>> {
  static napi_value to(napi_env env, E value) { return text(env, Names<E>::name(value)); }
  static E from(napi_env env, napi_value value) {
    const std::string given = Js<std::string>::from(env, value);
    for (E candidate : Names<E>::all) {
      if (given == Names<E>::name(candidate)) return candidate;
    }
    return Names<E>::all[0];
  }
};

/// Objects of the library, opaque to JavaScript. They may be collected at any time, also inside of
/// a call into the library: what they hold is let go of by the loop.
template <class T>
struct Handle {
  static napi_value to(napi_env env, const T& value) {
    napi_value out;
    napi_create_external(
        env, new T(value),
        [](napi_env e, void* data, void*) {
          std::shared_ptr<T> held(static_cast<T*>(data));
          Instance& instance = instanceOf(e);
          if (instance.driver) instance.driver->loop()->post([held = std::move(held)] {});
        },
        nullptr, &out);
    return out;
  }
  static T from(napi_env env, napi_value value) {
    void* data = nullptr;
    if (isAbsent(env, value) || napi_get_value_external(env, value, &data) != napi_ok) return T{};
    return *static_cast<T*>(data);
  }
};

template <class T>
napi_value toJs(napi_env env, const T& value) {
  return Js<T>::to(env, value);
}
inline napi_value toJs(napi_env env, const char* value) {
  return text(env, value);
}

/// A JavaScript function that C++ keeps. Callable on Node's thread; may be dropped on any.
class JsFunction {
 public:
  JsFunction() = default;
  JsFunction(napi_env env, napi_value function) : body_(std::make_shared<Body>(env, function)) {}
  explicit operator bool() const { return body_ != nullptr; }

  template <class... A>
  void operator()(const A&... args) const {
    if (!body_ || !body_->alive()) return;
    const napi_env env = body_->env;
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    const std::vector<napi_value> values{toJs(env, args)...};
    body_->call(values);
    napi_close_handle_scope(env, scope);
  }

 private:
  struct Body {
    Body(napi_env e, napi_value function);
    ~Body();
    bool alive() const;
    void call(const std::vector<napi_value>& values) const;
    napi_env env;
    std::weak_ptr<Loop> loop;
    napi_ref ref = nullptr;
    std::thread::id thread = std::this_thread::get_id();
  };
  std::shared_ptr<Body> body_;
};

template <>
struct Js<JsFunction> {
  static JsFunction from(napi_env env, napi_value value) {
    return isAbsent(env, value) ? JsFunction() : JsFunction(env, value);
  }
};

/// A value made already.
template <>
struct Js<napi_value> {
  static napi_value to(napi_env, napi_value value) { return value; }
  static napi_value from(napi_env, napi_value value) { return value; }
};
template <>
struct Js<std::nullptr_t> {
  static napi_value to(napi_env env, std::nullptr_t) { return null(env); }
};

/// What JavaScript makes a DOMException, an RTCError or a built-in error of.
template <>
struct Js<Error> {
  static napi_value to(napi_env env, const Error& error);
};

/// The function of a pending promise: `done(error, value)`.
template <class T>
std::function<void(Result<T>)> completion(JsFunction done) {
  return [done = std::move(done)](Result<T> result) {
    if (!result) {
      done(result.error());
    } else if constexpr (std::is_void_v<T>) {
      done(nullptr);
    } else {
      done(nullptr, *result);
    }
  };
}

// --- functions that JavaScript calls -------------------------------------------------------------

/// Passed to a function that wants the environment.
struct Context {
  napi_env env;
  Instance& instance;
  const std::shared_ptr<Loop>& loop() const { return instance.driver->loop(); }
};

template <class R>
napi_value answer(napi_env env, const R& result) {
  return Js<R>::to(env, result);
}
template <class T>
napi_value answer(napi_env env, const Result<T>& result) {
  if (!result) {
    napi_throw(env, Js<Error>::to(env, result.error()));
    return nullptr;
  }
  if constexpr (std::is_void_v<T>) {
    return undefined(env);
  } else {
    return Js<T>::to(env, *result);
  }
}

template <auto F>
struct Function;
template <class R, class... A, R (*F)(const Context&, A...)>
struct Function<F> {
  static napi_value call(napi_env env, napi_callback_info info) {
    return run(env, info, std::index_sequence_for<A...>());
  }
  template <size_t... I>
  static napi_value run(napi_env env, napi_callback_info info, std::index_sequence<I...>) {
    constexpr size_t kCount = sizeof...(A);
    napi_value given[kCount + 1];
    size_t count = kCount;
    napi_get_cb_info(env, info, &count, given, nullptr, nullptr);
    const Context context{env, instanceOf(env)};
    if constexpr (std::is_void_v<R>) {
      F(context, Js<std::decay_t<A>>::from(env, given[I])...);
      return undefined(env);
    } else {
      return answer(env, F(context, Js<std::decay_t<A>>::from(env, given[I])...));
    }
  }
};

template <auto F>
void add(napi_env env, napi_value exports, const char* name) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, &Function<F>::call, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace parley::binding
