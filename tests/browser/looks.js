// What a page looks like, in numbers. Evaluated by test_layout.py; every function returns a list of complaints.

({
  /** Whatever sticks out of the window at the side, or makes the page scroll sideways. */
  tooWide(width) {
    const found = [];
    if (document.documentElement.scrollWidth > width) found.push(`the page is ${document.documentElement.scrollWidth} wide`);
    for (const each of document.querySelectorAll("main *, header *, footer *")) {
      if (!each.checkVisibility({ visibilityProperty: true }) || each.closest("datalist, [clip-path]")) continue;
      const { left, right, width: own } = each.getBoundingClientRect();
      const hiddenForSight = own <= 1;
      const cut = each.parentElement.closest("svg, select") || clipped(each);
      if (!hiddenForSight && !cut && (right > width + 0.5 || left < -0.5)) found.push(`${name(each)} ${Math.round(left)}..${Math.round(right)}`);
    }
    return found;

    function clipped(each) {
      for (let up = each; up; up = up.parentElement) if (getComputedStyle(up).overflowX !== "visible") return up !== each;
      return false;
    }
    function name(each) {
      return `<${each.localName} class="${each.className}"> ${each.textContent.trim().slice(0, 30)}`;
    }
  },

  /** Buttons and their like that a finger would miss. */
  tooLow(least) {
    const fileLabels = [...document.querySelectorAll("input[type=file]")].flatMap((each) => [...each.labels]);
    const buttons = document.querySelectorAll("button, summary, input:not([type=hidden], [type=file]), nav a");
    return [...buttons, ...fileLabels]
      .filter((each) => each.checkVisibility() && each.getBoundingClientRect().width > 1)
      .filter((each) => each.getBoundingClientRect().height < least - 0.01)
      .map((each) => `<${each.localName}> ${each.textContent.trim().slice(0, 30)}: ${each.getBoundingClientRect().height}`);
  },

  /** Texts that are too faint on what is behind them: WCAG 2.2, 1.4.3 AA. */
  tooFaint() {
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const element = texts.currentNode.parentElement;
      if (texts.currentNode.data.trim() && element.checkVisibility({ visibilityProperty: true })) check(element, texts.currentNode.data);
    }
    for (const field of document.querySelectorAll("[placeholder]")) {
      if (field.checkVisibility()) check(field, field.placeholder, "::placeholder");
    }
    return found;

    function check(element, words, part) {
      if (element.closest("option, script, style, noscript, progress, title, desc")) return;
      const style = getComputedStyle(element, part);
      const drawn = element.closest("svg");
      // Words on a chart stand on what the chart stands on; the number of a box has its dot behind it.
      const back = element.closest(".drawing") ? behind(drawn) : drawn ? parse(getComputedStyle(element.previousElementSibling).fill) : behind(element);
      const front = over(parse(drawn ? style.fill : style.color), back, shown(element));
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      const ratio = contrast(front, back);
      if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} "${words.trim().slice(0, 40)}" ${front} on ${back}`);
    }
    function parse(color) {
      const parts = color.match(/^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/);
      if (!parts) throw new Error(`cannot read the colour ${color}`);
      return parts.slice(1).map((part) => Number(part ?? 1));
    }
    function over(front, back, opacity = 1) {
      const alpha = front[3] * opacity;
      return [0, 1, 2].map((i) => Math.round(front[i] * alpha + back[i] * (1 - alpha))).concat(1);
    }
    function behind(element) {
      const layers = [];
      for (let up = element; up; up = up.parentElement) {
        const style = getComputedStyle(up);
        if (style.backgroundImage !== "none") throw new Error(`a picture behind ${up.outerHTML.slice(0, 80)}`);
        layers.push(parse(style.backgroundColor));
        if (layers.at(-1)[3] === 1) break;
      }
      return layers.reduceRight((back, layer) => over(layer, back), [255, 255, 255, 1]);
    }
    function shown(element) {
      let opacity = 1;
      for (let up = element; up; up = up.parentElement) opacity *= Number(getComputedStyle(up).opacity);
      return opacity;
    }
    function contrast(a, b) {
      const [low, high] = [a, b].map(luminance).sort((x, y) => x - y);
      return (high + 0.05) / (low + 0.05);
    }
    function luminance(color) {
      const [r, g, b] = color.slice(0, 3).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    }
  },
})
