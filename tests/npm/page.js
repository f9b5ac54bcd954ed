// SPDX-License-Identifier: GPL-2.0-only
//
// usage: page.js DIR PICTURES
//
// Open the catalogue pages of DIR in headless Chromium, 360 and 1280 pixels wide.  Print the violations that axe-core
// finds, what is wider than the window, and scripts; print "FILE WIDTH ok" if there is none.  Save a picture of each as
// PICTURES/FILE-WIDTH.png.

const puppeteer = require('puppeteer-core');

const [dir, pictures] = process.argv.slice(2);

async function look(browser, file, width) {
	const page = await browser.newPage();
	const found = [];
	await page.setViewport({ width, height: 800 });
	await page.goto(`file://${dir}/${file}`);
	const seen = await page.evaluate(() => ({
		width: document.documentElement.scrollWidth,
		scripts: document.scripts.length,
		anchors: document.querySelectorAll('tr[id]').length
	}));
	if (seen.width > width) found.push(`wider than the window: ${seen.width} pixels`);
	if (seen.scripts > 0) found.push(`${seen.scripts} scripts`);
	if (seen.anchors === 0) found.push('no row has an anchor');
	await page.screenshot({ path: `${pictures}/${file}-${width}.png`, fullPage: true });
	await page.addScriptTag({ path: require.resolve('axe-core/axe.min.js') });
	const result = await page.evaluate(() => axe.run());
	for (const violation of result.violations)
		found.push(`${violation.id}: ${violation.nodes.map((node) => node.html).join(' ')}`);
	if (result.passes.length < 10) found.push(`axe-core looked at ${result.passes.length} rules only`);
	console.log(`${file} ${width} ${found.length ? found.join('; ') : 'ok'}`);
	return found.length;
}

(async () => {
	const browser = await puppeteer.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
	let bad = 0;
	for (const file of ['index.html', 'index.zh-CN.html'])
		for (const width of [360, 1280]) bad += await look(browser, file, width);
	await browser.close();
	process.exitCode = bad ? 1 : 0;
})();
