"""What rcc-xcorr computes, in float64 and few words: J. P. Lewis's fast NCC with window sums from running sums.

Independent of the package: NumPy alone. Coordinates as rcc-xcorr returns them, which for crops with X = Y are those of
the uncropped correlation.
"""

import numpy as np


def _window_sums(padded, shape):
    sums = np.zeros(np.add(padded.shape, 1))
    sums[1:, 1:] = padded.cumsum(axis=0).cumsum(axis=1)
    rows, cols = shape
    return sums[rows:, cols:] - sums[:-rows, cols:] - sums[rows:, :-cols] + sums[:-rows, :-cols]


def ncc_map(image, template, eps):
    """The full correlation [M + m - 1, N + n - 1]."""
    image, template = np.asarray(image, np.float64), np.asarray(template, np.float64)
    rows, cols = template.shape
    padded = np.pad(image, ((rows - 1, rows - 1), (cols - 1, cols - 1)))
    shape = np.add(padded.shape, template.shape) - 1
    product = np.fft.rfft2(padded, shape) * np.fft.rfft2(template[::-1, ::-1], shape)
    correlation = np.fft.irfft2(product, shape)[rows - 1 : padded.shape[0], cols - 1 : padded.shape[1]]
    sums, squares = _window_sums(padded, template.shape), _window_sums(padded**2, template.shape)
    numerator = correlation - sums * template.mean()
    ssd = np.sum((template - template.mean()) ** 2)
    denominator = np.sqrt(np.maximum((squares - sums**2 / template.size) * ssd, 0))
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > eps)


def batch(images, templates, correlations, normalize=False, crop=(0, 0), eps=np.finfo(np.float64).eps):
    """coords [n, 2] (y, x) and peaks [n, 1]."""
    coords, peaks = [], []
    for image_id, template_id in np.asarray(correlations).tolist():
        image = np.asarray(images[image_id], np.float64)
        template = np.asarray(templates[template_id], np.float64)
        if normalize:
            image, template = image - image.mean(), template - template.mean()
        response = ncc_map(image, template, eps)
        response = response[crop[0] : response.shape[0] - crop[0], crop[1] : response.shape[1] - crop[1]]
        y, x = np.unravel_index(np.argmax(response), response.shape)
        coords.append((y + crop[1], x + crop[0]))
        peaks.append((response[y, x],))
    return np.array(coords), np.array(peaks)
