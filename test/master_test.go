// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// masterName is the name by which a keeper starts a master.
const masterName = "einhyrn-master"

// What a master of ours says and hears on its link: docs/design.md has the frames.
const (
	linkFD    = 3
	kindBegin = 3
	kindLead  = 10
	kindLive  = 32
	kindGreet = 39
)

// masterMain is a master that takes over from another one and then is bad in the
// way that EINHYRN_TEST_MASTER says: it does nothing (idle), or ends (dies),
// or says one thing more (KIND PAYLOAD; in that @ stands for 15 MiB).
func masterMain() int {
	time.AfterFunc(lifetime, func() { os.Exit(99) })
	link := os.NewFile(linkFD, "link")
	in := bufio.NewReader(link)
	say := func(kind byte, payload string) {
		frame := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
		_, _ = link.Write(append(append(frame, kind, 0), payload...))
	}
	say(kindGreet, `{"oldest":2,"version":2,"software":"bad"}`)
	if !hears(in, kindBegin) {
		return 1
	}
	say(kindLive, "{}")
	if !hears(in, kindLead) { // from here on it is the master
		return 1
	}
	bad := os.Getenv("EINHYRN_TEST_MASTER")
	if kind, payload, ok := strings.Cut(bad, " "); ok {
		number, _ := strconv.Atoi(kind)
		say(byte(number), strings.Replace(payload, "@", strings.Repeat("x", 15<<20), 1))
	}
	if bad == "dies" {
		return 3
	}
	_, _ = io.Copy(io.Discard, in)
	return 0
}

// hears reads messages up to one of a kind.
func hears(in *bufio.Reader, kind byte) bool {
	for {
		var head [6]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			fmt.Fprintln(os.Stderr, "the bad master hears no more:", err)
			return false
		}
		if _, err := in.Discard(int(binary.BigEndian.Uint32(head[:]))); err != nil {
			return false
		}
		if head[4] == kind {
			return true
		}
	}
}
