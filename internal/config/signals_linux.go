// SPDX-License-Identifier: GPL-3.0-or-later

package config

// The real-time signals that programs may use: C libraries keep 32 and 33 for
// themselves (signal(7), "Real-time signals").
const (
	rtMin = 34
	rtMax = 64
)
