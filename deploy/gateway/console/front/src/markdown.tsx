// A model's Markdown as elements: its HTML stays text, its images are not fetched, its links name their address.
import type { ComponentChildren } from "preact";
import { marked } from "marked";
import type { Token, Tokens } from "marked";
import { useMemo } from "preact/hooks";
import { CopyButton } from "./parts";
import { ColouredSql } from "./sql_editor";

export function Markdown({ text }: { text: string }) {
  const tokens = useMemo(() => marked.lexer(text), [text]);
  return <div class="markdown">{blocks(tokens)}</div>;
}

const plain = (text: string): string =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");

function blocks(tokens: Token[]): ComponentChildren {
  return tokens.map((token, place) => block(token, place));
}

function block(token: Token, key: number): ComponentChildren {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      return <p key={key} class={`heading depth-${(token as Tokens.Heading).depth}`} role="heading" aria-level={Math.min(6, (token as Tokens.Heading).depth + 2)}>{inline((token as Tokens.Heading).tokens)}</p>;
    case "paragraph":
      return <p key={key}>{inline((token as Tokens.Paragraph).tokens)}</p>;
    case "code":
      return <Code key={key} code={token as Tokens.Code} />;
    case "blockquote":
      return <blockquote key={key}>{blocks((token as Tokens.Blockquote).tokens)}</blockquote>;
    case "list": {
      const list = token as Tokens.List;
      const items = list.items.map((item, place) => <li key={place}>{blocks(item.tokens)}</li>);
      return list.ordered ? <ol key={key} start={Number(list.start) || 1}>{items}</ol> : <ul key={key}>{items}</ul>;
    }
    case "table":
      return <MarkdownTable key={key} table={token as Tokens.Table} />;
    case "hr":
      return <hr key={key} />;
    case "text":
      return <span key={key}>{(token as Tokens.Text).tokens ? inline((token as Tokens.Text).tokens!) : plain((token as Tokens.Text).text)}</span>;
    default:
      return <p key={key} class="plain-text">{token.raw}</p>;
  }
}

function Code({ code }: { code: Tokens.Code }) {
  return (
    <div class="code-block">
      <pre><code>{/sql/i.test(code.lang ?? "") ? <ColouredSql sql={code.text} /> : code.text}</code></pre>
      <CopyButton text={code.text} />
    </div>
  );
}

function MarkdownTable({ table }: { table: Tokens.Table }) {
  return (
    <div class="table-scroll" tabIndex={0}>
      <table>
        <thead><tr>{table.header.map((cell, place) => <th key={place} scope="col">{inline(cell.tokens)}</th>)}</tr></thead>
        <tbody>{table.rows.map((row, place) => <tr key={place}>{row.map((cell, column) => <td key={column}>{inline(cell.tokens)}</td>)}</tr>)}</tbody>
      </table>
    </div>
  );
}

function inline(tokens: Token[]): ComponentChildren {
  return tokens.map((token, key) => {
    switch (token.type) {
      case "strong":
        return <strong key={key}>{inline((token as Tokens.Strong).tokens)}</strong>;
      case "em":
        return <em key={key}>{inline((token as Tokens.Em).tokens)}</em>;
      case "del":
        return <del key={key}>{inline((token as Tokens.Del).tokens)}</del>;
      case "codespan":
        return <code key={key}>{plain((token as Tokens.Codespan).text)}</code>;
      case "br":
        return <br key={key} />;
      case "link":
        return <Link key={key} link={token as Tokens.Link} />;
      case "escape":
      case "text":
        return plain((token as Tokens.Text).text);
      default:
        return token.raw;
    }
  });
}

/** A link to the web alone opens, in a page of its own; where it leads stands behind it. */
function Link({ link }: { link: Tokens.Link }) {
  const shown = inline(link.tokens);
  if (!/^https?:\/\//i.test(link.href)) return <>{shown} ({link.href})</>;
  return (
    <>
      <a href={link.href} target="_blank" rel="noopener noreferrer nofollow">{shown}</a>
      {link.text !== link.href && <span class="muted"> ({link.href.slice(0, 120)})</span>}
    </>
  );
}
