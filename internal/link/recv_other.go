// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package link

// recvCloexec: not everywhere is there such a flag; descriptors are marked
// right after they were received. A fork in between would leak one.
const recvCloexec = 0
