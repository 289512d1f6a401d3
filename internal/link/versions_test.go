// SPDX-License-Identifier: GPL-3.0-or-later

package link

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "record the messages of a version that was not released yet")

// released is the newest version that is part of a release: its record is never
// written again. 0: there was none.
const released = 0

// Each record has one line a message: its kind, how many descriptors go with it,
// and the payload as it was.
func recordOf(version int) string {
	return filepath.Join("testdata", fmt.Sprintf("version-%d.txt", version))
}

func record(list []Message) []byte {
	var b bytes.Buffer
	for _, m := range list {
		frame, err := encode(m, 0)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, "%d %T %s\n", m.kind(), m, frame[headerSize:])
	}
	return b.Bytes()
}

// TestMessagesOfEveryVersionAreUnderstood feeds what every version of the link
// says to the present code: each message is still known, and all that it says is
// understood.
func TestMessagesOfEveryVersionAreUnderstood(t *testing.T) {
	if *update && Version > released {
		if err := os.WriteFile(recordOf(Version), record(samples()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for version := Oldest; version <= Version; version++ {
		text, err := os.ReadFile(recordOf(version))
		if err != nil {
			t.Fatalf("%v: go test ./internal/link -update records it", err)
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, MaxPayload)
		for lines.Scan() {
			understand(t, version, lines.Text())
		}
	}
}

func understand(t *testing.T, version int, line string) {
	t.Helper()
	words := strings.SplitN(line, " ", 3)
	number, err := strconv.Atoi(words[0])
	if err != nil || len(words) != 3 {
		t.Fatalf("version %d: cannot read %q", version, line)
	}
	m := newMessage(kind(number))
	if m == nil || fmt.Sprintf("%T", m) != words[1] {
		t.Errorf("version %d: kind %d is %T now, it was %s", version, number, m, words[1])
		return
	}
	if err := json.Unmarshal([]byte(words[2]), m); err != nil {
		t.Errorf("version %d: %s: %v", version, words[1], err)
		return
	}
	now, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var was, is any
	if err := json.Unmarshal([]byte(words[2]), &was); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(now, &is); err != nil {
		t.Fatal(err)
	}
	if lost := missing("", was, is); len(lost) > 0 {
		t.Errorf("version %d: %s is not understood any more: %s", version, words[1], strings.Join(lost, ", "))
	}
}

// missing lists what is in was and not, or otherwise, in is. What is new has no
// meaning to who does not know it.
func missing(path string, was, is any) (lost []string) {
	before, ok := was.(map[string]any)
	if !ok {
		if !reflect.DeepEqual(was, is) {
			lost = append(lost, path)
		}
		return lost
	}
	after, _ := is.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(before)) {
		value, ok := after[key]
		if !ok {
			lost = append(lost, path+"."+key)
			continue
		}
		lost = append(lost, missing(path+"."+key, before[key], value)...)
	}
	return lost
}

// TestTheRecordIsWhole holds the record of the present version to the samples.
func TestTheRecordIsWhole(t *testing.T) {
	text, err := os.ReadFile(recordOf(Version))
	if err != nil {
		t.Fatal(err)
	}
	kinds := func(text []byte) (list []string) {
		for line := range strings.Lines(string(text)) {
			list = append(list, strings.Join(strings.SplitN(line, " ", 3)[:2], " "))
		}
		return list
	}
	if diff := cmp.Diff(kinds(record(samples())), kinds(text)); diff != "" {
		t.Errorf("the record of version %d lacks messages; go test ./internal/link -update (-want +got):\n%s", Version, diff)
	}
}

func TestWhatIsNotUnderstoodIsFound(t *testing.T) {
	was := map[string]any{"a": 1.0, "b": map[string]any{"c": "x", "d": 2.0}, "e": []any{1.0}}
	is := map[string]any{"a": 2.0, "b": map[string]any{"c": "x"}, "e": []any{1.0}, "f": 3.0}
	if diff := cmp.Diff([]string{".a", ".b.d"}, missing("", was, is)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
