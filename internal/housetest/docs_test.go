// SPDX-License-Identifier: GPL-3.0-or-later

package housetest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"einhyrningsins/internal/config"
)

// otherOptions are options of other programs that documents speak of.
var otherOptions = []string{
	// einhyrningsinsctl; its own tests hold its manual against its options
	"--execute", "--follow", "--json", "--reload", "--since",
	// the examples, and servers that run in them
	"--addr", "--build", "--boot", "--test", "--fd", "--threads", "--ini", "--plugin", "--module", "--master", "--http-socket", "--hook-accepting1-once", "--graceful-timeout", "--keep-alive",
	"--bind-to-activated-sockets", "--workers", "--max-workers", "--max-reqs-per-child", "--disable-keepalive", "--keepalive-timeout", "--accept", "--inetd",
	// go, git, systemd, docker, coreutils, Server::Starter
	"--signal-on-hup", "--signal-on-term", "--port", "--interval", "--foreground", "--kill-whom", "--kill-who", "--stop-timeout",
}

var optionWord = regexp.MustCompile(`(?:^|[\s"'(|\x60])(--[a-z][a-z0-9-]+)`)

// TestDocsKnowTheOptions: a document that names an option which nobody has is
// a document that lies.
func TestDocsKnowTheOptions(t *testing.T) {
	known := slices.Clone(otherOptions)
	for _, o := range append(config.Options(), config.EinhornOptions()...) {
		known = append(known, "--"+o.Name)
	}
	named := 0
	for _, doc := range documents(t) {
		for i, line := range strings.Split(doc.text, "\n") {
			for _, m := range optionWord.FindAllStringSubmatch(line, -1) {
				named++
				if !slices.Contains(known, m[1]) {
					t.Errorf("%s:%d: there is no option %s", doc.path, i+1, m[1])
				}
			}
		}
	}
	if named == 0 {
		t.Error("no document names an option")
	}
}

type document struct{ path, text string }

func documents(t *testing.T) []document {
	t.Helper()
	list, err := files(func(path string) bool { return strings.HasSuffix(path, ".md") || strings.HasSuffix(path, ".service") })
	if err != nil || len(list) == 0 {
		t.Fatal(len(list), err)
	}
	var docs []document
	for _, path := range list {
		text, err := read(path)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, document{path, text})
	}
	return docs
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksLead: what a document links to is there, headings included.
func TestLinksLead(t *testing.T) {
	for _, doc := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(doc.text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := doc.path
			if target != "" {
				file = path.Join(path.Dir(doc.path), target)
			}
			text, err := read(file)
			if info, serr := os.Stat(filepath.Join(root, file)); serr == nil && info.IsDir() {
				continue
			}
			if err != nil {
				t.Errorf("%s: the link %s leads nowhere", doc.path, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(text), anchor) {
				t.Errorf("%s: %s has no heading for #%s", doc.path, file, anchor)
			}
		}
	}
}

// anchors are the names of a document's headings, as forges make them.
func anchors(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			name := strings.Map(func(r rune) rune {
				switch {
				case r == ' ':
					return '-'
				case strings.ContainsRune(".,:;!?'\"`()/&", r):
					return -1
				}
				return r
			}, strings.ToLower(strings.TrimSpace(title)))
			list = append(list, name)
		}
	}
	return list
}

// TestDecisionsAreListed: a page that nobody finds decides nothing.
func TestDecisionsAreListed(t *testing.T) {
	index, err := read("docs/decisions/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range documents(t) {
		if path.Dir(doc.path) == "docs/decisions" && doc.path != "docs/decisions/README.md" && !strings.Contains(index, "("+path.Base(doc.path)+")") {
			t.Errorf("%s is not in docs/decisions/README.md", doc.path)
		}
	}
}
