// All of the sampler: candidates, stages, and how they compose.
#pragma once

#include "lamina/sampler/candidates.hpp"
#include "lamina/sampler/choose.hpp"
#include "lamina/sampler/filters.hpp"
#include "lamina/sampler/penalties.hpp"
#include "lamina/sampler/random.hpp"
#include "lamina/sampler/stage.hpp"
