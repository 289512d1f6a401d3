// SPDX-License-Identifier: GPL-3.0-or-later

package start

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestOnlyTheLastWordsAreKept(t *testing.T) {
	var log bytes.Buffer
	w, err := Hear(slog.New(slog.NewTextHandler(&log, nil)), "said", 2000)
	if err != nil {
		t.Fatal(err)
	}
	f := w.to
	defer w.Started()
	for i := range 1000 {
		if _, err := fmt.Fprintf(f, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.WriteString(strings.Repeat("é", mostStderr) + "\n\xff the end"); err != nil {
		t.Fatal(err)
	}
	w.End() // somebody still holds the pipe
	select {
	case last := <-w.last:
		if len(last) > mostStderr+2 || !strings.HasSuffix(last, "é\n\uFFFD the end") {
			t.Errorf("the last words are %q", last)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no last words")
	}
	for _, want := range []string{`text="line 0"`, `text="line 999"`, "the end"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s was not logged", want)
		}
	}
}

func TestNoMoreLinesAreLoggedThanAllowed(t *testing.T) {
	var log bytes.Buffer
	w, err := Hear(slog.New(slog.NewTextHandler(&log, nil)), "said", FewLines)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 * FewLines {
		if _, err := fmt.Fprintf(w.to, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	w.Started() // it was the last that held the pipe
	select {
	case <-w.last:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end with the pipe")
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != FewLines+1 || !strings.Contains(lines[FewLines-1], fmt.Sprintf("line %d", FewLines-1)) || !strings.Contains(lines[FewLines], "more") {
		t.Errorf("%d lines were logged:\n%s", len(lines), log.String())
	}
}
