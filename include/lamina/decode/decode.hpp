// All of decode: the loops that turn a session and a sampler into tokens and text.
#pragma once

#include "lamina/decode/generate.hpp"
#include "lamina/decode/generate_text.hpp"
#include "lamina/decode/options.hpp"
#include "lamina/decode/session.hpp"
#include "lamina/decode/stop_strings.hpp"
