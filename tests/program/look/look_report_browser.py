#!/usr/bin/env python3
"""The page of `mpixcorr report` in Chromium: sorting, filtering, keyboard, widths, light and dark, and no complaint, of
axe-core, the accessibility checker, neither.

Skipped without Chromium, its driver and Selenium; without axe-core where pip cannot fetch it. All is done in one browser.
"""
import base64
import contextlib
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

from look_common import h5py, main, program, run
from report_cases import make_sections, synthetic

try:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.chrome.service import Service
except ImportError:
    print("skipped: no Selenium (Debian: python3-selenium)")
    sys.exit(77)
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not BROWSER or not DRIVER:
    print("skipped: no Chromium (Debian: chromium, chromium-driver)")
    sys.exit(77)


@contextlib.contextmanager
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(prefix="profile.", ignore_cleanup_errors=True) as profile:
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}"):
            options.add_argument(argument)
        driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        try:
            yield driver
        finally:
            driver.quit()


def look(driver, page, width, dark=False):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
    driver.get("file://" + page)
    inner, whole = driver.execute_script("return [document.documentElement.clientWidth, document.documentElement.scrollWidth]")
    assert width - 20 <= inner <= width and whole <= inner, f"{whole} px of content on {inner}"


def fetch_axe(folder):
    """axe-core as a page takes it, from a Python package that brings it along; or None, which is told."""
    command = ["python3", "-m", "pip", "download", "--quiet", "--retries", "1", "--timeout", "20", "--no-deps", "--dest", folder,
               "axe-playwright-python==0.1.8"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode:
        print(f"skipped: axe-core: pip cannot fetch it: {told.stderr.strip().splitlines()[-1:]}")
        return None
    with zipfile.ZipFile(glob.glob(os.path.join(folder, "*.whl"))[0]) as wheel:
        return wheel.read("axe_playwright_python/axe.min.js").decode()


def make(folder):
    path = os.path.join(folder, "in.h5")
    program("generate", path, "--preset", "tiny", "--images", 30)
    with h5py.File(path, "a") as f:
        f["image_names"] = [f"tile <b>{i}</b>.tif" for i in range(30)]
        f["images"][3] = 7  # flat
    output = run(folder, "in.h5", "out.h5", "--quality", "--report", os.path.join(folder, "run.json"), "--crop", "40,40")
    page = os.path.join(folder, "page.html")
    program("report", output, page, "--run", os.path.join(folder, "run.json"), "--pictures", 5, "--overwrite")
    return output, page


def column(driver, title):
    titles = driver.execute_script("return [...document.querySelectorAll('#rows thead th')].map(cell => cell.innerText)")
    return titles.index(title)


def cells(driver, title):
    return driver.execute_script(
        "return [...document.querySelectorAll('#rows tbody tr')].filter(row => row.cells.length > 1).map(row => row.cells[arguments[0]].innerText)",
        column(driver, title))


def contrast(driver, selector):
    """WCAG contrast of an element's words on the page's ground."""
    colours = driver.execute_script(
        "const e = document.querySelector(arguments[0]); return [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]", selector)

    def luminance(colour):
        parts = [int(x) / 255 for x in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        r, g, b = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted(map(luminance, colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def no_complaint(driver):
    complaints = [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert not complaints, complaints


def accessible(driver, axe):
    unnamed = driver.execute_script(
        "return [...document.querySelectorAll('button, input, select, img, [role=img], [role=region]')].filter(e => e.offsetParent !== null && "
        "!(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.alt || e.textContent.trim() || (e.labels && e.labels.length))).map(e => e.outerHTML.slice(0, 120))")
    assert not unnamed, f"without a name: {unnamed}"
    levels = driver.execute_script("return [...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels
    if axe:
        driver.execute_script(axe)
        found = driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
        assert not found["violations"], [(v["id"], [n["html"][:150] for n in v["nodes"]][:3]) for v in found["violations"]]
        assert len(found["passes"]) > 15, "axe-core looked at nothing"


def in_each_width_and_scheme(driver, axe, output, page):
    for width, dark in ((400, False), (400, True), (1600, False), (1600, True)):
        look(driver, page, width, dark)
        assert driver.title == output + " – mpixcorr report", driver.title
        for selector in ("body", "#what", "#verdict", "td.good, td.doubt, td.bad"):
            assert contrast(driver, selector) >= 4.5, f"{selector}: contrast {contrast(driver, selector):.2f}, dark: {dark}"
        ground = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") != dark, ground
        drawn = driver.execute_script("return document.querySelectorAll('#charts rect').length")
        assert drawn >= 5, f"{drawn} bars"
        accessible(driver, axe if dark == (width == 1600) else None)
        no_complaint(driver)


def sorted_filtered_by_keyboard(driver, page):
    look(driver, page, 1200)
    assert "page 1 of 2" in driver.find_element(By.ID, "page").text
    assert len(cells(driver, "peak")) == 100
    header = driver.find_elements(By.CSS_SELECTOR, "#rows thead th")[column(driver, "peak")]
    for key, order, aria in ((Keys.ENTER, 1, "ascending"), (Keys.SPACE, -1, "descending")):
        header.find_element(By.TAG_NAME, "button").send_keys(key)
        assert header.get_attribute("aria-sort") == aria
        peaks = [float(text) for text in cells(driver, "peak") if text != "–"]
        assert len(peaks) > 90 and peaks == sorted(peaks, reverse=order < 0), f"{aria}: {peaks[:5]}"
    driver.find_element(By.ID, "on").send_keys(Keys.ENTER)
    assert "page 2 of 2" in driver.find_element(By.ID, "page").text and len(cells(driver, "peak")) == 50
    search = driver.find_element(By.ID, "search")
    search.send_keys("<b>4</b>")
    assert set(cells(driver, "image")) == {"4 tile <b>4</b>.tif"}, cells(driver, "image")
    search.clear()
    search.send_keys("nothing of that name")
    assert cells(driver, "row") == [] and "0 pairs" in driver.find_element(By.ID, "page").text
    search.send_keys(30 * Keys.BACKSPACE)
    below = driver.find_element(By.ID, "below")
    below.send_keys("0.5")
    assert cells(driver, "peak") and all(float(text) < 0.5 for text in cells(driver, "peak"))
    below.send_keys(4 * Keys.BACKSPACE)
    which = driver.find_element(By.ID, "which")
    which.send_keys("at the edge")
    assert cells(driver, "doubt") and all("at the edge" in text for text in cells(driver, "doubt"))
    driver.execute_script("arguments[0].selectedIndex = 0; arguments[0].dispatchEvent(new Event('input'))", which)
    header.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    buttons = [b for b in driver.find_elements(By.CSS_SELECTOR, "#rows td button")]
    shown = len(driver.find_elements(By.CSS_SELECTOR, "#rows img"))
    opener = next((b for b in buttons if b.get_attribute("aria-expanded") == "false"), None) or buttons[0]
    change = 1 if opener.get_attribute("aria-expanded") == "false" else -1
    opener.send_keys(Keys.ENTER)
    assert len(driver.find_elements(By.CSS_SELECTOR, "#rows img")) == shown + change
    size = driver.execute_script("const i = document.querySelector('#rows img'); return [i.naturalWidth, i.naturalHeight]")
    assert size[0] > 700 and size[1] > 100, f"the picture is {size}"
    # all that can be used is reached by the tabulator, and is seen to be
    seen = set()
    driver.execute_script("document.activeElement.blur()")
    for _ in range(60):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        if driver.switch_to.active_element.tag_name == "body":  # around the page's end
            continue
        name, outline = driver.execute_script("const e = document.activeElement; return [e.id || e.className || e.tagName + e.textContent, getComputedStyle(e).outlineStyle]")
        assert outline != "none", f"{name} does not show that it has the focus"
        seen.add(name)
    assert {"search", "which", "below", "scroll"} <= seen and any(name.startswith("BUTTON") for name in seen), seen
    no_complaint(driver)


def printed(driver, page):
    """On white whatever the scheme, with titles that browsers repeat on each sheet, and without what cannot be used."""
    look(driver, page, 800, dark=True)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    style = "return getComputedStyle(document.querySelector(arguments[0]), arguments[1])[arguments[2]]"
    assert driver.execute_script(style, "body", None, "backgroundColor") == "rgb(255, 255, 255)"
    assert driver.execute_script(style, "#rows th:nth-child(2)", "::before", "content") == '"row"'
    for gone in ("#controls", "#rows th button", "#rows td button", "#repeat details"):
        assert driver.execute_script(style, gone, None, "display") == "none", gone
    sheets = driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    assert base64.b64decode(sheets)[:5] == b"%PDF-"
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    no_complaint(driver)


def displacements(driver, axe, folder):
    make_sections(folder)
    output, page = run(folder, "in.h5", "moved.h5", "--quality"), os.path.join(folder, "moved.html")
    program("report", output, page, "--pictures", 2)
    look(driver, page, 400, dark=True)
    count = "return [document.querySelectorAll('#moved path').length, document.querySelectorAll('#moved line').length]"
    assert driver.execute_script(count) == [2 + 196, 2], "two pairs of tiles, and a field"
    driver.find_element(By.ID, "part").send_keys("s1")
    assert driver.execute_script(count) == [1 + 196, 1], "the other part was chosen"
    accessible(driver, axe)
    no_complaint(driver)


def a_million_rows(driver, folder, output):
    many, page = os.path.join(folder, "many.h5"), os.path.join(folder, "many.html")
    synthetic(output, 1000000, many)
    program("report", many, page)
    assert os.path.getsize(page) < 20e6, "the page is no mail attachment"
    look(driver, page, 400)
    assert "of 1,000,000 pairs" in driver.find_element(By.ID, "listed").text
    assert len(cells(driver, "peak")) == 100
    no_complaint(driver)


def in_the_browser(folder):
    axe = fetch_axe(folder)
    output, page = make(folder)
    with browser() as driver:
        in_each_width_and_scheme(driver, axe, output, page)
        sorted_filtered_by_keyboard(driver, page)
        printed(driver, page)
        a_million_rows(driver, folder, output)
        os.mkdir(os.path.join(folder, "moved"))
        displacements(driver, axe, os.path.join(folder, "moved"))


main(in_the_browser)
