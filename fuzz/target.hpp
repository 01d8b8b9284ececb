#pragma once
// What each file of this folder that names a fuzz target defines. Inputs are arbitrary; a broken promise
// aborts.

#include <cstddef>
#include <cstdint>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
