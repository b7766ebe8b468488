// The editor of tickets: CodeMirror around a text area, or the text area itself where that fails.
"use strict";
(() => {
  // Where in a ticket the cursor is, read from indentation: a text that is being written is seldom whole YAML.
  const KEY = /^("[^"]*"|[\w.-]+)\s*:(?:\s+(.*))?$/;
  const treeOf = (lines) => {
    const root = { name: "", indent: -1, value: "", children: [], parent: null };
    let top = root;
    const push = (name, indent, value, line) => {
      while (top.indent > indent || (top.indent === indent && (name !== "-" || top.name === "-"))) top = top.parent;
      const node = { name, indent, value, line, children: [], parent: top };
      top.children.push(node);
      top = node;
    };
    lines.forEach((text, line) => {
      let indent = text.length - text.trimStart().length;
      let rest = text.trim();
      if (rest.startsWith("#")) return;
      while (rest === "-" || rest.startsWith("- ")) {
        push("-", indent, rest.slice(1).trim(), line);
        const after = rest.slice(1);
        indent += 1 + (after.length - after.trimStart().length);
        rest = after.trim();
      }
      const key = rest.match(KEY);
      if (key) push(key[1].replaceAll('"', ""), indent, (key[2] ?? "").replace(/\s#.*$/, "").trim(), line);
    });
    return root;
  };
  const parentAt = (root, line, indent) => {
    let parent = root;
    for (let next = root; next; ) {
      parent = next;
      next = parent.children.findLast((child) => child.line <= line && child.indent < indent);
    }
    return parent;
  };
  const FIELDS = /([\w.-]+)\s*:\s*("[^"]*"|[^,{}[\]]*)/g;
  // The innermost { … } or [ … ] that is open before the cursor, with what stands before it.
  const openBracket = (text) => {
    const open = [];
    let quote = "";
    for (const [at, sign] of [...text].entries()) {
      if (quote) quote = sign === quote ? "" : quote;
      else if (sign === '"' || sign === "'") quote = sign;
      else if (sign === "{" || sign === "[") open.push(at);
      else if (sign === "}" || sign === "]") open.pop();
    }
    return open;
  };
  const contextAt = (state, pos) => {
    const here = state.doc.lineAt(pos);
    const before = here.text.slice(0, pos - here.from);
    const lines = state.doc.toString().split("\n");
    const brackets = openBracket(before);
    const path = [];
    const kinds = [];
    const siblings = {};
    const climb = (node) => {
      for (let each = node; each?.parent; each = each.parent) {
        path.unshift(each.name);
        const inline = each.value.startsWith("{") ? [...each.value.matchAll(FIELDS)].find((one) => one[1] === "kind") : null;
        kinds.unshift(each.children.find((child) => child.name === "kind")?.value ?? inline?.[2]?.trim() ?? "");
      }
    };
    if (brackets.length) {
      const start = brackets[0];
      const head = before.slice(0, start);
      const key = head.match(/("[^"]*"|[\w.-]+)\s*:\s*$/);
      const indent = key ? key.index : head.search(/\S|$/) + 2;
      const root = treeOf(lines.slice(0, here.number - 1).concat([head]));
      const own = key ? parentAt(root, here.number, indent) : parentAt(root, here.number, indent);
      climb(own);
      if (key) path.push(key[1]), kinds.push("");
      for (const [depth, at] of brackets.entries()) {
        if (depth) {
          const name = before.slice(0, at).match(/([\w.-]+)\s*:\s*$/);
          if (name) path.push(name[1]), kinds.push("");
        }
        if (before[at] === "[") path.push("-"), kinds.push("");
      }
      const inner = here.text.slice(brackets.at(-1) + 1).replace(/[}\]].*$/, "");
      for (const [, name, value] of inner.matchAll(FIELDS)) siblings[name] = value.trim();
      if (siblings.kind) kinds[kinds.length - 1] = siblings.kind;
      const part = before.slice(brackets.at(-1) + 1).split(",").at(-1);
      const field = part.match(/^\s*([\w.-]+)\s*:\s*(.*)$/);
      const isList = before[brackets.at(-1)] === "[";
      return { path, kinds, siblings, field: field?.[1] ?? null, isItem: isList, typed: field ? field[2] : part.trimStart() };
    }
    const bare = before.replace(/^(\s*- )+/, (marks) => " ".repeat(marks.length));
    const items = before.slice(0, before.length - bare.trimStart().length);
    const field = bare.trimStart().match(/^([\w.-]+)\s*:\s+(.*)$/);
    const indent = field || bare.trim() ? bare.search(/\S/) : before.length;
    const above = lines.slice(0, here.number - 1).concat([items.trimEnd()]).concat(lines.slice(here.number));
    const own = parentAt(treeOf(above), here.number - 1, indent);
    climb(own);
    for (const child of own.children) siblings[child.name] = child.value;
    return { path, kinds, siblings, field: field?.[1] ?? null, isItem: /-\s+$/.test(items), typed: field ? field[2] : bare.trimStart() };
  };

  // The parts of the schema that may stand at a path.
  const partsOf = (schema, part) => {
    if (!part) return [];
    if (part.$ref) return partsOf(schema, schema.$defs[part.$ref.split("/").at(-1)]);
    return [...(part.properties || part.items || part.type || part.enum || "const" in part ? [part] : []), ...(part.anyOf ?? []).flatMap((each) => partsOf(schema, each))];
  };
  const ofKind = (parts, kind) => {
    const fitting = parts.filter((part) => !kind || !part.properties?.kind || part.properties.kind.const === kind);
    return fitting.length ? fitting : parts;
  };
  const partsAt = (schema, path, kinds) =>
    path.reduce((parts, name, depth) => {
      const next = parts.flatMap((part) => {
        if (name === "-") return partsOf(schema, part.items);
        return partsOf(schema, part.properties?.[name] ?? part.additionalProperties);
      });
      return ofKind(next, kinds[depth]);
    }, [schema]);

  const typeText = (part) => (part.default === undefined || part.default === null ? (part.type ?? "") : `by default ${JSON.stringify(part.default)}`);
  const fieldsOf = (parts, siblings) => {
    const options = new Map();
    for (const part of parts) {
      for (const [name, about] of Object.entries(part.properties ?? {})) {
        if (name in siblings || options.has(name)) continue;
        const isNeeded = part.required?.includes(name);
        options.set(name, {
          label: name,
          type: "property",
          detail: isNeeded ? "needed" : typeText(about),
          info: about.description || undefined,
          apply: `${name}: `,
          boost: isNeeded ? 1 : 0,
        });
      }
    }
    return [...options.values()];
  };
  const valuesOf = (schema, parts) =>
    parts.flatMap((part) => {
      if (part.type === "boolean") return [true, false];
      if ("const" in part) return [part.const];
      return part.enum ?? (["string", "number", "boolean"].includes(typeof part.default) ? [part.default] : []);
    });
  const namesFor = (names, name, person) => {
    if (name === "services") return names.services;
    if (name === "environment") return names.environments;
    if (name === "zone") return ["UTC", ...Intl.supportedValuesOf("timeZone")];
    if (name === "owner") return [person];
    if (/(^|_)connection$/.test(name)) return names.connections;
    return [];
  };
  const completions = (schema, names, person, context) => {
    const { path, kinds, siblings, field, isItem, typed } = contextAt(context.state, context.pos);
    const from = context.pos - typed.length;
    if (field !== null || (isItem && path.at(-1) === "-")) {
      const place = field === null ? path : [...path, field];
      const about = partsAt(schema, place, [...kinds, ""]);
      const known = namesFor(names, field ?? path.at(-2) ?? "", person) ?? [];
      const described = field === "kind" ? new Map(partsAt(schema, path, path.map(() => "")).map((part) => [part.properties?.kind?.const, part.description])) : new Map();
      const every = field === "kind" ? [...described.keys()].filter(Boolean) : [...known, ...valuesOf(schema, about)];
      const values = [...new Set(every.map(String))].map((label) => ({ label, type: "constant", info: described.get(label) || undefined }));
      if (values.length) return { from, options: values, validFor: /^[\w./:+-]*$/ };
      if (field !== null) return null;
    }
    if (!context.explicit && !typed) return null;
    return { from, options: fieldsOf(partsAt(schema, path, kinds), siblings), validFor: /^[\w.-]*$/ };
  };

  const plain = (area, changed) => {
    area.addEventListener("input", changed);
    return {
      text: () => area.value,
      replace: (text) => {
        area.value = text;
        changed();
      },
      show: () => {},
      goTo: (line, column) => {
        const at = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0) + column - 1;
        area.focus();
        area.setSelectionRange(at, at);
      },
    };
  };

  const rich = (area, { nonce, person, schema, names, changed }) => {
    const { EditorState, EditorView, tags } = CodeMirror;
    const colours = CodeMirror.HighlightStyle.define([
      { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)" },
      { tag: tags.comment, color: "var(--faint)" },
      { tag: [tags.string, tags.attributeValue], color: "var(--good)" },
      { tag: [tags.keyword, tags.meta, tags.number, tags.bool], color: "var(--warn)" },
    ]);
    const look = EditorView.theme({
      "&": { color: "var(--ink)", fontSize: "0.875rem" },
      ".cm-scroller": { fontFamily: "ui-monospace, monospace", minHeight: "20rem", maxHeight: "75vh" },
      ".cm-content": { caretColor: "var(--ink)" },
      ".cm-cursor": { borderLeftColor: "var(--ink)" },
      ".cm-gutters": { background: "var(--soft)", color: "var(--faint)", border: "none" },
      ".cm-activeLine, .cm-activeLineGutter": { background: "var(--soft)" },
      ".cm-activeLineGutter": { color: "var(--ink)" },
      "&.cm-focused": { outline: "3px solid var(--focus)" },
      ".cm-panels, .cm-tooltip": { background: "var(--soft)", color: "var(--ink)", border: "1px solid var(--line)" },
      ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { background: "var(--act-soft)", color: "var(--act)" },
      ".cm-completionDetail": { color: "var(--faint)", fontStyle: "normal" },
      ".cm-panel.cm-search label": { fontSize: "0.875rem" },
      ".cm-textfield, .cm-button": { background: "var(--paper)", color: "var(--ink)", border: "1px solid var(--faint)" },
      ".cm-searchMatch": { background: "var(--warn-soft)", outline: "1px solid var(--warn)" },
      ".cm-matchingBracket": { background: "var(--act-soft)" },
      ".cm-diagnostic": { whiteSpace: "pre-wrap", color: "var(--ink)" },
    });
    const wanted = { promise: null };
    const source = async (context) => {
      wanted.promise ??= fetch(schema, { credentials: "same-origin" }).then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)));
      try {
        return completions(await wanted.promise, names, person, context);
      } catch {
        wanted.promise = null;
        return null; // without a schema one writes on; what is wrong is said all the same
      }
    };
    const view = new EditorView({
      doc: area.value,
      extensions: [
        EditorView.cspNonce.of(nonce),
        look,
        CodeMirror.lineNumbers(),
        CodeMirror.lintGutter(),
        CodeMirror.history(),
        CodeMirror.highlightSpecialChars(),
        CodeMirror.highlightActiveLine(),
        CodeMirror.highlightActiveLineGutter(),
        CodeMirror.bracketMatching(),
        CodeMirror.indentUnit.of("  "),
        EditorState.tabSize.of(2),
        CodeMirror.yaml(),
        CodeMirror.syntaxHighlighting(colours),
        CodeMirror.search({ top: true }),
        CodeMirror.autocompletion({ override: [source], maxRenderedOptions: 60 }),
        CodeMirror.keymap.of([
          ...CodeMirror.completionKeymap,
          ...CodeMirror.searchKeymap,
          ...CodeMirror.historyKeymap,
          { key: "F8", run: CodeMirror.nextDiagnostic },
          ...CodeMirror.defaultKeymap,
        ]),
        EditorView.contentAttributes.of({ "aria-labelledby": "ticket-label", "aria-describedby": "keys", id: "ticket-editor", tabindex: "0" }),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          area.value = update.state.doc.toString();
          changed();
        }),
      ],
    });
    area.hidden = true;
    area.after(view.dom);
    document.getElementById("ticket-label").addEventListener("click", () => view.focus());
    const placeOf = (line, column) => {
      const row = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
      const start = column > 1 ? column - 1 : row.text.search(/\S|$/);
      return { row, from: Math.min(row.from + start, row.to) };
    };
    return {
      text: () => view.state.doc.toString(),
      replace: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }),
      show: (findings) => {
        const diagnostics = findings.map((finding) => {
          const { row, from } = placeOf(finding.line, finding.column);
          const word = row.text.slice(from - row.from).match(/^[^\s,{}[\]]+/);
          const message = `${finding.place ? `${finding.place}: ` : ""}${finding.sentence}. ${finding.remedy}`;
          return { from, to: from + (word ? word[0].length : 0), severity: finding.severity, source: finding.who, message };
        });
        view.dispatch(CodeMirror.setDiagnostics(view.state, diagnostics));
      },
      goTo: (line, column) => {
        view.dispatch({ selection: { anchor: placeOf(line, column).from }, scrollIntoView: true });
        view.focus();
      },
    };
  };

  window.ticketEditor = (area, options) => {
    try {
      return rich(area, options);
    } catch (error) {
      console.info(`The ticket is edited as plain text: ${error.message}`);
      area.hidden = false;
      return plain(area, options.changed);
    }
  };
})();
