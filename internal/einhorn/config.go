// SPDX-License-Identifier: GPL-3.0-or-later

package einhorn

import (
	"strings"

	"einhyrningsins/internal/wire"
)

// configWords turns the argument of einhorn's config, a map in YAML, into
// KEY=VALUE. Its words are joined, so that nobody has to quote the spaces; words
// that are KEY=VALUE already are left alone.
func configWords(r *wire.Request) *wire.Error {
	text := strings.Join(r.Args, " ")
	if text == "" || areSettings(r.Args) {
		return nil
	}
	n, err := parse(text)
	if err != nil {
		n, err = parse(withoutFlowSymbols(text))
	}
	if err != nil || n.kind != kindMap {
		return wire.Errorf(wire.BadRequest, "cannot config %q: it takes a map in YAML, as in config {number: 2}", shown(text))
	}
	r.Args = settingsOf(n, nil)
	if len(r.Args) == 0 {
		return wire.Errorf(wire.BadRequest, "cannot config %q: the map is empty; try config {number: 2}", shown(text))
	}
	return nil
}

func areSettings(args []string) bool {
	for _, arg := range args {
		key, _, ok := strings.Cut(arg, "=")
		if !ok || strings.ContainsAny(key, " :{}[]'\"") {
			return false
		}
	}
	return true
}

// settingsOf lists the pairs of a map. einhorn keeps some of its own in a map
// under :config, which is looked into.
func settingsOf(n *node, list []string) []string {
	for i, key := range n.keys {
		v := n.items[i]
		switch {
		case v.kind == kindNull:
			list = append(list, key+"=none") // what null is in einhorn's settings
		case v.kind == kindText:
			list = append(list, key+"="+v.word())
		case v.kind == kindMap && key == "config":
			list = settingsOf(v, list)
		case v.kind == kindMap:
			list = append(list, key+"={…}") // no setting is a map: it will be refused by its name
		default:
			words, _ := v.words()
			list = append(list, key+"="+strings.Join(words, " "))
		}
	}
	return list
}

// withoutFlowSymbols takes away the first colon of a symbol that is a key in
// braces, as in {:number: 2}. Ruby reads and writes it; to the parser it ends an
// empty key.
func withoutFlowSymbols(text string) string {
	var b strings.Builder
	opened := false // nothing but spaces since a brace or comma
	for i, c := range []byte(text) {
		if !opened || c != ':' || !isSymbolKey(text[i+1:]) {
			b.WriteByte(c)
		}
		opened = c == '{' || c == ',' || opened && c == ' '
	}
	return b.String()
}

// isSymbolKey tells whether an identifier and a colon come first.
func isSymbolKey(text string) bool {
	name, _, ok := strings.Cut(text, ":")
	return ok && name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}
