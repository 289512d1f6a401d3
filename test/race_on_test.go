// SPDX-License-Identifier: GPL-3.0-or-later

//go:build race

package test

// raceEnabled: the daemon is built like the tests are.
const raceEnabled = true
