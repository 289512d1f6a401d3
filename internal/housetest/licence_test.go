// SPDX-License-Identifier: GPL-3.0-or-later

package housetest

import (
	"slices"
	"strings"
	"testing"
)

// permissive are the directories under the MIT licence: what programs of
// others link, and what these in turn import.
var permissive = []string{"client", "internal/childenv", "internal/wire", "worker"}

const (
	gpl = "GPL-3.0-or-later"
	mit = "MIT"
)

func licenceOf(path string) string {
	for _, dir := range permissive {
		if strings.HasPrefix(path, dir+"/") {
			return mit
		}
	}
	return gpl
}

// hasHeader tells files that name their licence; those in contrib/completion are
// made by the programs.
func hasHeader(path string) bool {
	for _, suffix := range []string{".go", ".s", ".py", ".rb", ".js", ".1", ".service"} {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return path == "Makefile" || path == ".ci/run" || strings.HasPrefix(path, "scripts/")
}

// TestLicenceHeaders: the first line says under which licence a file is, the
// second where the first has to be something else.
func TestLicenceHeaders(t *testing.T) {
	list, err := files(hasHeader)
	if err != nil || len(list) < 100 {
		t.Fatal(len(list), err)
	}
	for _, path := range list {
		text, err := read(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitN(text, "\n", 3)
		header := lines[0]
		if (strings.HasPrefix(header, "#!") || strings.HasPrefix(header, "#compdef")) && len(lines) > 1 {
			header = lines[1]
		}
		want := "SPDX-License-Identifier: " + licenceOf(path)
		if !strings.HasSuffix(header, " "+want) {
			t.Errorf("%s begins with %q, want a comment %q", path, header, want)
		}
	}
}

// TestLicenceTexts: each directory of its own licence brings the text along,
// and imports none of ours under a stronger one.
func TestLicenceTexts(t *testing.T) {
	for _, dir := range permissive {
		text, err := read(dir + "/LICENSE")
		if err != nil || !strings.Contains(text, "Permission is hereby granted, free of charge") {
			t.Errorf("%s/LICENSE is not the MIT licence: %v", dir, err)
		}
		for _, r := range rooms {
			if r.dir != dir {
				continue
			}
			for _, imported := range r.ours {
				if !slices.Contains(permissive, imported) {
					t.Errorf("%s is MIT, but may import %s, which is %s", dir, imported, gpl)
				}
			}
		}
	}
	text, err := read("LICENSE")
	if err != nil || !strings.Contains(text, "GNU GENERAL PUBLIC LICENSE") {
		t.Errorf("LICENSE is not the GPL: %v", err)
	}
}
