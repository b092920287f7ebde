const TEXT = `
  :host {
    --beam-accent: #0b6e4f; --beam-on-accent: #fff; --beam-ink: #17211d; --beam-paper: #fff; --beam-muted: #53605b;
    --beam-radius: 1rem; --beam-font: system-ui, sans-serif;
    display: grid; gap: 0.75rem; max-width: 26rem; padding: 1rem; box-sizing: border-box;
    border-radius: var(--beam-radius); background: var(--beam-paper); color: var(--beam-ink);
    font: 1rem/1.4 var(--beam-font);
  }
  :host([hidden]), [hidden] { display: none !important; }
  p, dl, dd { margin: 0; }
  [part=stage] { position: relative; display: none; overflow: hidden; border-radius: var(--beam-radius); background: #000; }
  :host([measuring]) [part=stage] { display: block; }
  video { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: cover; transform: scaleX(-1); }
  [part=rate] {
    position: absolute; inset: auto 0.75rem 0.75rem auto; padding: 0.25rem 0.75rem; border-radius: 99rem;
    background: rgb(0 0 0 / 70%); color: #fff;
  }
  [part=rate] b { font-size: 1.5em; font-variant-numeric: tabular-nums; }
  progress { display: none; width: 100%; height: 0.5rem; accent-color: var(--beam-accent); }
  :host([measuring]) progress { display: block; }
  [part=status] { min-height: 2.8em; color: var(--beam-muted); }
  [part=results] { display: grid; gap: 0.25rem; }
  [part=results] div { display: flex; justify-content: space-between; gap: 1rem; }
  dd { font-weight: 600; font-variant-numeric: tabular-nums; text-align: end; }
  button {
    min-height: 3rem; padding: 0 1.25rem; border: 0; border-radius: var(--beam-radius); cursor: pointer;
    background: var(--beam-accent); color: var(--beam-on-accent); font: inherit; font-weight: 600;
  }
  button:focus-visible { outline: 3px solid var(--beam-ink); outline-offset: 3px; }
  @media (prefers-color-scheme: dark) {
    :host { --beam-accent: #5fd0a5; --beam-on-accent: #06281c; --beam-ink: #eef4f1; --beam-paper: #17211d; --beam-muted: #a9b8b1; }
  }
`;

let made: CSSStyleSheet | null = null;

/** One sheet for all elements; made by script, so that a policy without inline styles allows it. */
export function sheet(): CSSStyleSheet {
  if (!made) {
    made = new CSSStyleSheet();
    made.replaceSync(TEXT);
  }
  return made;
}
