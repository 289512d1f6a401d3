// SPDX-License-Identifier: GPL-3.0-or-later

// Functions without a body, in child.go, ask for a file of assembly in the package.
