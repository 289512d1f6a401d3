// SPDX-License-Identifier: GPL-3.0-or-later

// Package version holds the version of the programs.
package version

// Version is what --version prints; releases set it with -ldflags -X.
var Version = "0.1.0-dev"
