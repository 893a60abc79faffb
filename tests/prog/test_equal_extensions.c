// SPDX-License-Identifier: GPL-2.0-only
/* The tests of test_engine_extensions.c once more, with the BPF programs beside the native engine. */
#define RIG_TWIN
#include "../unit/test_engine_extensions.c"
