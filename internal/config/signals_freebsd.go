// SPDX-License-Identifier: GPL-3.0-or-later

package config

// SIGRTMIN and SIGRTMAX of <sys/signal.h>.
const (
	rtMin = 65
	rtMax = 126
)
