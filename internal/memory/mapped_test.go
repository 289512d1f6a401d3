// SPDX-License-Identifier: GPL-3.0-or-later

package memory

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// What the dynamic linker has written to stays, though it is read-only now, and so
// does what may be written to, or is another file's.
const smaps = `00400000-0067b000 r-xp 00000000 fe:00 77 /usr/bin/a b
Size:               2540 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
0067b000-00917000 r--p 0027b000 fe:00 77 /usr/bin/a b
Anonymous:             0 kB
00917000-00918000 r--p 0027b000 fe:00 77 /usr/bin/a b
Anonymous:             4 kB
00918000-00940000 rw-p 00517000 fe:00 77 /usr/bin/a b
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 78 /usr/bin/other
Anonymous:             0 kB
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
`

func TestOnlyWhatWasNeverWrittenIsLetGo(t *testing.T) {
	want := []span{{0x400000, 0x67b000}, {0x67b000, 0x917000}}
	if got := unwritten(strings.NewReader(smaps), "/usr/bin/a b"); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

func TestTheProgramGoesOnWithoutItsPages(t *testing.T) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(unwritten(f, exe)) == 0 {
		t.Fatal("nothing of this program is mapped")
	}
	for range 10 {
		letGoOfProgram()
		if !strings.Contains(strings.ToUpper(smaps), "[VDSO]") {
			t.Fatal("it does not do what it did")
		}
	}
}
