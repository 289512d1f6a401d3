// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const (
	passing = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}
{"Action":"pass","Package":"p","Elapsed":0.2}
`
	skipping = `{"Action":"run","Package":"p","Test":"TestS"}
{"Action":"output","Package":"p","Test":"TestS","Output":"    a_test.go:7: no shell here: none\n"}
{"Action":"skip","Package":"p","Test":"TestS"}
`
	failing = `{"Action":"run","Package":"q","Test":"TestB"}
{"Action":"output","Package":"q","Test":"TestB","Output":"    b_test.go:3: it broke\n"}
{"Action":"fail","Package":"q","Test":"TestB"}
{"Action":"fail","Package":"q"}
`
	broken = `{"Action":"build-output","ImportPath":"r [r.test]","Output":"# r\n"}
{"Action":"build-output","ImportPath":"r [r.test]","Output":"r/r.go:1:2: undefined: no\n"}
{"Action":"output","Package":"r","Output":"FAIL\tr [build failed]\n"}
{"Action":"fail","Package":"r","FailedBuild":"r [r.test]"}
`
	crashed = `{"Action":"run","Package":"c","Test":"TestC"}
{"Action":"output","Package":"c","Test":"TestC","Output":"fatal error: oh\n"}
{"Action":"output","Package":"c","Test":"TestC","Output":"\n"}
{"Action":"output","Package":"c","Test":"TestC","Output":"goroutine 1 [running]:\n"}
{"Action":"run","Package":"c","Test":"TestD"}
{"Action":"pause","Package":"c","Test":"TestD"}
{"Action":"fail","Package":"c"}
`
	leaving = `{"Action":"output","Package":"l","Output":"PASS\n"}
{"Action":"output","Package":"l","Output":"testexec: left behind by the tests, and killed: process 7: sleep 9\n"}
{"Action":"output","Package":"l","Output":"FAIL\tl\t0.1s\n"}
{"Action":"fail","Package":"l"}
`
	cut = `{"Action":"run","Package":"k","Test":"TestK"}
`
)

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		name, in string
		strict   bool
		status   int
		want     []string
	}{
		{"all well", passing, false, 0, []string{"ok   p (0.2s)", "1 passed, 0 failed, 0 skipped"}},
		{"a skip", passing + skipping, false, 0, []string{"skipped: p TestS: no shell here: none", "1 passed, 0 failed, 1 skipped"}},
		{"a script's skip", passing + strings.Replace(skipping, "a_test.go:7", "cmd.go:380", 1), false, 0, []string{"skipped: p TestS: no shell here: none"}},
		{"a skip that may not be", passing + skipping, true, 1, []string{"1 passed, 1 failed, 0 skipped"}},
		{"a failure", passing + failing, false, 1, []string{"it broke", "FAIL q", "\nfailed: q TestB\n\tb_test.go:3: it broke\n1 passed, 1 failed, 0 skipped"}},
		{"a build that fails", passing + broken, false, 1, []string{"# r\nr/r.go:1:2: ", "FAIL r", "\nfailed: r\n\tr/r.go:1:2: undefined: no\n1 passed, 1 failed"}},
		{"a crash", passing + crashed, false, 1, []string{"goroutine 1", "\nfailed: c TestC: did not end\n\tfatal error: oh\n1 passed, 1 failed"}},
		{"something left behind", passing + leaving, false, 1, []string{"\nfailed: l\n\ttestexec: left behind by the tests, and killed: process 7: sleep 9"}},
		{"something left behind by what failed", strings.Replace(failing+leaving, `"l"`, `"q"`, -1), false, 1, []string{"\nfailed: q TestB\n", "\nfailed: q\n\ttestexec: left behind", "0 passed, 2 failed"}},
		{"an end in the middle", passing + cut, false, 1, []string{"\nfailed: k TestK: did not end\n1 passed, 1 failed"}},
		{"no test", "", false, 1, []string{"0 passed"}},
		{"other lines", "go: no such module\n" + passing, false, 0, []string{"go: no such module"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			if status := run(strings.NewReader(c.in), &out, c.strict); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("no %q in:\n%s", w, out.String())
				}
			}
		})
	}
}

func TestInShort(t *testing.T) {
	log := strings.Repeat("\n        a line of a log", 100)
	got := inShort("=== RUN   TestX\n    x_test.go:1: lost 1\n          how" + log + "\n    x_test.go:2: " + strings.Repeat("x", 1000) + "\n--- FAIL: TestX\n")
	if !strings.HasPrefix(got, "\n\tx_test.go:1: lost 1\n\thow\n\ta line") {
		t.Errorf("the first words are missing: %q", got)
	}
	if !strings.Contains(got, "\n\tx_test.go:2: xxx") || len(got) > 700 {
		t.Errorf("want all that was said, in short, got %d bytes: %q", len(got), got)
	}
}

// hanging is a package with a test that never ends, and that has started what
// does not end with it: one process as a daemon, so that its parent is gone, and
// one of another session.
const hanging = `package hanging

import (
	"os/exec"
	"syscall"
	"testing"
)

func TestGood(t *testing.T) {}

func TestHangs(t *testing.T) {
	if err := exec.Command("sh", "-c", "trap '' TERM HUP INT; sleep 1000 &").Run(); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "1000")
	other.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Run("within", func(t *testing.T) { select {} })
}
`

// TestTimeout runs go test as the Makefile does, on a package that times out.
func TestTimeout(t *testing.T) {
	dir := t.TempDir()
	testexec := filepath.Join(dir, "testexec")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", testexec, "../testexec").CombinedOutput(); err != nil {
		t.Fatalf("cannot build testexec: %v\n%s", err, out)
	}
	for name, text := range map[string]string{"go.mod": "module hanging\n", "a_test.go": hanging} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-json", "-timeout", "2s", "-exec", testexec, ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	events, err := cmd.Output()
	if err == nil {
		t.Error("a package that timed out has passed")
	}
	var out strings.Builder
	if status := run(strings.NewReader(string(events)), &out, false); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	for _, want := range []string{
		"\nfailed: hanging TestHangs: did not end\n",
		"\nfailed: hanging TestHangs/within: did not end\n\tpanic: test timed out after 2s\n\trunning tests:\n",
		"\n\ttestexec: left behind by the tests, and killed: process ",
		"\n1 passed, 2 failed, 0 skipped\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	pids := regexp.MustCompile(`(?m)^testexec: .* process (\d+): sleep 1000$`).FindAllStringSubmatch(out.String(), -1)
	if len(pids) != 2 {
		t.Fatalf("want two processes that were left, got %v in:\n%s", pids, out.String())
	}
	for _, m := range pids {
		pid, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
}
