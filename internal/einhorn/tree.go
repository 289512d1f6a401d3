// SPDX-License-Identifier: GPL-3.0-or-later

package einhorn

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"

	"einhyrningsins/internal/wire"
)

// The limits of a document, beside [wire.MaxLine]. The parser takes memory (of
// its stack, too) for each mark, and for some of them looks at all the text
// before; for newlines in a row even once for each pair of them.
const (
	maxMarks    = 1024    // bytes that can mean something to YAML
	maxWork     = 8 << 20 // marks times bytes
	maxNewlines = 16      // in a row, whatever white space is between them
	maxDepth    = 16      // of lists and maps in each other
	maxAliased  = 256     // bytes of a text that an alias may repeat
)

// errUnreadable is what parse says of whatever it does not take. Nobody is told
// more: einhorn's clients expect one sentence.
var errUnreadable = errors.New("not a YAML document that can be taken")

type kind int

const (
	kindNull kind = iota
	kindText
	kindList
	kindMap
)

// node is one value; the zero one is null. There are no nil nodes.
type node struct {
	kind  kind
	text  string
	plain bool    // text without quotes
	items []*node // of a list or map
	keys  []string
}

// one is held while something is parsed, so that a thousand clients who send
// the worst at the same time use the memory of one.
var one sync.Mutex

// parse reads the first document of a text.
func parse(text string) (*node, error) {
	if len(text) > wire.MaxLine || !utf8.ValidString(text) || !bounded(text) {
		return nil, errUnreadable
	}
	return parseTrusted(text)
}

// parseTrusted parses a text that is known to be cheap.
func parseTrusted(text string) (n *node, err error) {
	one.Lock()
	defer one.Unlock()
	defer func() {
		if recover() != nil { // a fault of the parser must cost one request, not the master
			n, err = nil, errUnreadable
		}
	}()
	file, err := parser.Parse(lexer.Tokenize(text), 0)
	if err != nil || len(file.Docs) == 0 {
		return nil, errUnreadable
	}
	t := tree{anchors: map[string]*node{}}
	if n = t.of(file.Docs[0].Body, 0); t.bad {
		return nil, errUnreadable
	}
	return n, nil
}

// bounded tells, without parsing, whether a text is cheap to parse.
func bounded(text string) bool {
	marks, newlines := 0, 0
	for _, c := range []byte(text) {
		switch c {
		case ' ', '\t', '\r':
			continue
		case '\n':
			newlines++
			marks++
		case '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', '<', '\\':
			marks++
			newlines = 0
		default:
			newlines = 0
		}
		if marks > maxMarks || newlines > maxNewlines {
			return false
		}
	}
	return marks*len(text) <= maxWork
}

// tree makes plain data of what the parser returns.
type tree struct {
	anchors map[string]*node // texts only
	bad     bool
}

func (t *tree) fail() *node {
	t.bad = true
	return &node{}
}

func (t *tree) of(n ast.Node, depth int) *node {
	if t.bad || depth > maxDepth {
		return t.fail()
	}
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return &node{}
	case *ast.MappingNode:
		return t.mapOf(n.Values, depth)
	case *ast.MappingValueNode:
		return t.mapOf([]*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		list := &node{kind: kindList}
		for _, v := range n.Values {
			list.items = append(list.items, t.of(v, depth+1))
		}
		return list
	case *ast.TagNode:
		return tagged(n.Start.Value, t.of(n.Value, depth+1))
	case *ast.AnchorNode:
		return t.anchor(n, depth)
	case *ast.AliasNode:
		if known := t.anchors[n.Value.GetToken().Value]; known != nil {
			return known
		}
		return t.fail()
	case *ast.LiteralNode:
		return &node{kind: kindText, text: n.Value.Value}
	case *ast.StringNode:
		first := n.Token.Origin
		quoted := strings.HasPrefix(strings.TrimSpace(first), `"`) || strings.HasPrefix(strings.TrimSpace(first), "'")
		return &node{kind: kindText, text: n.Value, plain: !quoted}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return &node{kind: kindText, text: n.GetToken().Value, plain: true}
	}
	return t.fail()
}

func (t *tree) mapOf(values []*ast.MappingValueNode, depth int) *node {
	m := &node{kind: kindMap}
	for _, kv := range values {
		var key ast.Node = kv.Key
		if k, ok := key.(*ast.MappingKeyNode); ok {
			key = k.Value
		}
		if _, ok := key.(*ast.MergeKeyNode); ok {
			return t.fail()
		}
		k := t.of(key, depth+1)
		if k.kind != kindText {
			return t.fail()
		}
		m.keys = append(m.keys, k.word())
		m.items = append(m.items, t.of(kv.Value, depth+1))
	}
	return m
}

// anchor keeps a short text for its aliases: Ruby writes one when the same
// string stands in two places. Lists and maps are never repeated.
func (t *tree) anchor(n *ast.AnchorNode, depth int) *node {
	v := t.of(n.Value, depth+1)
	if v.kind == kindText && len(v.text) <= maxAliased {
		t.anchors[n.Name.GetToken().Value] = v
	}
	return v
}

// tagged is what a tag makes of a value: nothing, but for the base64 in which
// Ruby writes strings that are no UTF-8, and for symbols.
func tagged(tag string, n *node) *node {
	if n.kind != kindText {
		return n
	}
	text := *n
	text.plain = false
	if tag == "!binary" || tag == "!!binary" {
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.text), ""))
		if err == nil {
			text.text = string(raw)
		}
	}
	return &text
}

// get returns the last value of a key; null if there is none.
func (n *node) get(key string) *node {
	for i := len(n.keys) - 1; i >= 0; i-- {
		if n.keys[i] == key {
			return n.items[i]
		}
	}
	return &node{}
}

// word is a text without the colon that makes it a symbol in Ruby.
func (n *node) word() string {
	if n.plain && len(n.text) > 1 && n.text[0] == ':' {
		return n.text[1:]
	}
	return n.text
}

// words is a list of texts; null is none.
func (n *node) words() (list []string, ok bool) {
	if n.kind == kindNull {
		return nil, true
	}
	if n.kind != kindList {
		return nil, false
	}
	for _, item := range n.items {
		if item.kind != kindText {
			return nil, false
		}
		list = append(list, item.word())
	}
	return list, true
}
