// What a reader could not read among the outputs: text that is cut off, and text whose colour is too near its background's.
() => {
  const channel = (value) => { const part = value / 255; return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; };
  const luminance = ([red, green, blue]) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (top, below, alpha) => [0, 1, 2].map((part) => top[part] * alpha + below[part] * (1 - alpha));
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(rgba(getComputedStyle(at).backgroundColor));
    return layers.reduce((below, layer) => over(layer, below, layer[3]), [255, 255, 255]);
  };
  const opacity = (element) => {
    let share = 1;
    for (let at = element; at; at = at.parentElement) share *= getComputedStyle(at).opacity;
    return share;
  };
  const found = [];
  for (const output of document.querySelectorAll('.jp-OutputArea-output')) {
    if (output.scrollWidth > output.clientWidth + 1) found.push(`cut off: ${output.innerText.slice(0, 60)}`);
    const walker = document.createTreeWalker(output, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      const box = element.getBoundingClientRect();
      if (!walker.currentNode.data.trim() || !box.width || ['STYLE', 'TITLE'].includes(element.tagName.toUpperCase())) continue;
      const picture = element.closest('svg')?.getBoundingClientRect();
      if (picture && (box.top < picture.top - 1 || box.bottom > picture.bottom + 1 || box.left < picture.left - 1 || box.right > picture.right + 1))
        found.push(`cut off: ${walker.currentNode.data.trim()}`);
      const style = getComputedStyle(element);
      const back = behind(element);
      const ink = rgba(element.closest('svg') ? style.fill : style.color);
      const [light, dark] = [luminance(over(ink, back, ink[3] * opacity(element))), luminance(back)].sort((a, b) => b - a);
      const contrast = (light + 0.05) / (dark + 0.05);
      if (contrast < 3) found.push(`contrast ${contrast.toFixed(1)}: ${walker.currentNode.data.trim().slice(0, 40)}`);
    }
  }
  return [...new Set(found)];
}
