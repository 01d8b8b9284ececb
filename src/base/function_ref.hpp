#pragma once
// A view of something callable, for a call that ends before the caller returns.

#include <memory>
#include <type_traits>
#include <utility>

namespace turnpike {

template <typename Signature>
class FunctionRef;

template <typename Result, typename... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  template <typename Callable>
    requires(!std::is_same_v<std::remove_cvref_t<Callable>, FunctionRef> &&
             std::is_invocable_r_v<Result, Callable&, Arguments...>)
  FunctionRef(Callable&& callable) {  // implicit, as a lambda at the call should need no ceremony
    using Target = std::remove_reference_t<Callable>;
    if constexpr (std::is_function_v<Target>)
      object_ = reinterpret_cast<void*>(std::addressof(callable));
    else
      object_ = const_cast<void*>(static_cast<const void*>(std::addressof(callable)));
    call_ = [](void* object, Arguments... arguments) -> Result {
      return (*reinterpret_cast<Target*>(object))(std::forward<Arguments>(arguments)...);
    };
  }

  Result operator()(Arguments... arguments) const {
    return call_(object_, std::forward<Arguments>(arguments)...);
  }

 private:
  void* object_;
  Result (*call_)(void*, Arguments...);
};

}  // namespace turnpike
