"""The layers of the paper, once more, as slowly and plainly as possible.

van den Oord, Kalchbrenner, Kavukcuoglu, *Pixel Recurrent Neural Networks*, ICML 2016 (arXiv 1601.06759), sections 2.2
and 3.1 to 3.4; for the gated layers van den Oord et al., *Conditional Image Generation with PixelCNN Decoders*, 2016
(arXiv 1606.05328), sections 2.1 and 2.2.

Everything here is float64 NumPy, one image at a time, one pixel at a time, one feature at a time. There are no batches,
no padding, no skewing and no masks that multiply a kernel: a neighbour that must not be read is simply not visited. The
layers of `pixel_zoo.layers` compute the same numbers in other, faster ways, and the tests compare the two.

Feature k of any feature map belongs to colour k % colours (R, G, B, R, G, B, ...).
"""

import math

import numpy as np


def sigmoid(a):
    return 1.0 / (1.0 + math.exp(-a))


def colour_of_feature(feature, colours):
    """The colour group of a feature of an ordinary feature map."""
    return feature % colours


def colour_of_gate(feature, units, colours):
    """The colour group of a feature of a map of gates, laid out [o, f, i, g] or [f, g], each `units` wide.

    Unit u has one colour, and so have its gates.
    """
    unit = feature % units
    return colour_of_feature(unit, colours)


def tap_is_open(row_offset, column_offset, in_colour, out_colour, mask_type):
    """Figure 2 of the paper: what the kernel that makes one pixel may read.

    Offsets are counted from that pixel; negative is above, or to the left.
    """
    if row_offset < 0:  # the rows above: everything
        return True
    if row_offset > 0:  # the rows below: nothing
        return False
    if column_offset < 0:  # to the left: everything
        return True
    if column_offset > 0:  # to the right: nothing
        return False
    if mask_type == "A":  # the pixel itself: the colours already made
        return in_colour < out_colour
    if mask_type == "B":  # ... and, on features, the colour's own
        return in_colour <= out_colour
    raise ValueError(f"mask_type must be 'A' or 'B', got {mask_type!r}")


def masked_conv2d(x, kernel, kernel_bias, mask_type, colours, out_colour=None, bias=None):
    """A convolution that does not see the future.

        y[i, j, n] = kernel_bias[n] + bias[i, j, n]
                     + sum over open taps (r, s) and features m of  kernel[r, s, m, n] * x[i + r, j + s, m]

    Args:
        x: (height, width, c_in).
        kernel: (kh // 2 + 1, kw, c_in, filters): the rows of a kh x kw kernel at and above its centre.
        kernel_bias: (filters,), or None.
        mask_type: "A" or "B".
        colours: number of colours.
        out_colour: function from an output feature to its colour; by default that of an ordinary feature map.
        bias: (height, width, filters), or None.

    Returns:
        (height, width, filters).
    """
    height, width, c_in = x.shape
    kernel_rows, kernel_columns, _, filters = kernel.shape
    if out_colour is None:

        def out_colour(n):
            return colour_of_feature(n, colours)

    y = np.zeros((height, width, filters))
    for i in range(height):
        for j in range(width):
            for n in range(filters):
                total = 0.0
                for kernel_row in range(kernel_rows):
                    for kernel_column in range(kernel_columns):
                        r = kernel_row - (kernel_rows - 1)  # the last row of the kernel is the row of the pixel
                        s = kernel_column - kernel_columns // 2
                        if i + r < 0 or j + s < 0 or j + s >= width:
                            continue  # outside the image there are zeros
                        for m in range(c_in):
                            if tap_is_open(r, s, colour_of_feature(m, colours), out_colour(n), mask_type):
                                total += kernel[kernel_row, kernel_column, m, n] * x[i + r, j + s, m]
                if kernel_bias is not None:
                    total += kernel_bias[n]
                if bias is not None:
                    total += bias[i, j, n]
                y[i, j, n] = total
    return y


def gated_conv2d(x, kernel, kernel_bias, mask_type, colours, bias=None):
    """Equation (2) of 1606.05328: y = tanh(W_f * x) sigmoid(W_g * x), what is before the activations laid out [f, g].

    Args:
        x: (height, width, c_in).
        kernel: (kh // 2 + 1, kw, c_in, 2 * units).
        kernel_bias: (2 * units,).
        mask_type: "A" or "B".
        colours: number of colours.
        bias: (height, width, 2 * units), or None.

    Returns:
        (height, width, units).
    """
    height, width, _ = x.shape
    units = kernel.shape[-1] // 2
    before = masked_conv2d(
        x, kernel, kernel_bias, mask_type, colours, out_colour=lambda n: colour_of_gate(n, units, colours), bias=bias
    )
    y = np.zeros((height, width, units))
    for i in range(height):
        for j in range(width):
            for u in range(units):
                y[i, j, u] = math.tanh(before[i, j, u]) * sigmoid(before[i, j, units + u])
    return y


def vertical_conv2d(x, kernel, kernel_bias, mask_type, bias=None):
    """A convolution of the vertical stack, section 2.2 of 1606.05328: rows above; under mask B the own row too, whole.

    Args:
        x: (height, width, c_in).
        kernel: (kh // 2 + 1, kw, c_in, filters).
        kernel_bias: (filters,), or None.
        mask_type: "A" or "B".
        bias: (height, width, filters), or None.

    Returns:
        (height, width, filters).
    """
    height, width, c_in = x.shape
    kernel_rows, kernel_columns, _, filters = kernel.shape
    y = np.zeros((height, width, filters))
    for i in range(height):
        for j in range(width):
            for n in range(filters):
                total = 0.0 if kernel_bias is None else kernel_bias[n]
                for kernel_row in range(kernel_rows if mask_type == "B" else kernel_rows - 1):
                    for kernel_column in range(kernel_columns):
                        r = kernel_row - (kernel_rows - 1)
                        s = kernel_column - kernel_columns // 2
                        if i + r < 0 or j + s < 0 or j + s >= width:
                            continue
                        for m in range(c_in):
                            total += kernel[kernel_row, kernel_column, m, n] * x[i + r, j + s, m]
                y[i, j, n] = total if bias is None else total + bias[i, j, n]
    return y


def lstm_state(gates, cell_before):
    """Equation (3) of the paper, second and third line, for one pixel.

        [o, f, i] = sigmoid(...),  g = tanh(...)
        c = f * c_before + i * g
        h = o * tanh(c)

    Args:
        gates: (4 * units,), before the activation, laid out [o, f, i, g].
        cell_before: (units,).

    Returns:
        h and c, each (units,).
    """
    units = len(cell_before)
    h, c = np.zeros(units), np.zeros(units)
    for u in range(units):
        o = sigmoid(gates[0 * units + u])
        f = sigmoid(gates[1 * units + u])
        i = sigmoid(gates[2 * units + u])
        g = math.tanh(gates[3 * units + u])
        c[u] = f * cell_before[u] + i * g
        h[u] = o * math.tanh(c[u])
    return h, c


def add_state_to_state(gates, kernel, h):
    """gates[n] += sum over u of kernel[u, n] * h[u]: one tap of the state-to-state component, never masked."""
    units, num_gates = kernel.shape
    for n in range(num_gates):
        for u in range(units):
            gates[n] += kernel[u, n] * h[u]


def row_lstm(x, input_kernel, input_bias, recurrent_kernel, initial_h, initial_c, colours, bias=None):
    """Row LSTM, section 3.1, equation (3): each row reads the row above.

        [o_i, f_i, i_i, g_i] = act(K_ss * h_{i-1} + K_is * x_i)
        c_i = f_i . c_{i-1} + i_i . g_i
        h_i = o_i . tanh(c_i)

    Args:
        x: (height, width, c_in).
        input_kernel: K_is, (1, k, c_in, 4 * units), mask B along the row.
        input_bias: (4 * units,).
        recurrent_kernel: K_ss, (k, units, 4 * units); tap t reads column j + t - k // 2 of the row above.
        initial_h, initial_c: (units,), the state at every column of the row above the first.
        colours: number of colours.
        bias: (height, width, 4 * units) added to K_is * x, or None.

    Returns:
        h, (height, width, units).
    """
    height, width, _ = x.shape
    taps, units, _ = recurrent_kernel.shape

    # K_is * x: of the whole map at once, masked so that a pixel reads only valid context.
    input_to_state = masked_conv2d(
        x, input_kernel, input_bias, "B", colours, out_colour=lambda n: colour_of_gate(n, units, colours), bias=bias
    )

    h, c = np.zeros((height, width, units)), np.zeros((height, width, units))
    for i in range(height):
        for j in range(width):
            gates = input_to_state[i, j].copy()
            for t in range(taps):
                column = j + t - taps // 2
                if column < 0 or column >= width:
                    continue  # beyond the left and the right border there are zeros
                h_above = initial_h if i == 0 else h[i - 1, column]
                add_state_to_state(gates, recurrent_kernel[t], h_above)
            c_above = initial_c if i == 0 else c[i - 1, j]
            h[i, j], c[i, j] = lstm_state(gates, c_above)
    return h


def one_diagonal_lstm(input_to_state, kernel_above, kernel_beside, initial_h, initial_c, step):
    """One direction of the Diagonal BiLSTM, section 3.2, with no skewing: each pixel reads its two neighbours.

        [o, f, i, g] = act(K_above h[i-1, j] + K_beside h[i, j - step] + input_to_state[i, j])
        c[i, j] = f . c[i, j - step] + i . g
        h[i, j] = o . tanh(c[i, j])

    In the paper's skewed map both neighbours are in the column before, the pixel beside in the same row: the cell is
    carried along the row.

    Args:
        input_to_state: (height, width, 4 * units).
        kernel_above, kernel_beside: the two taps, each (units, 4 * units).
        initial_h, initial_c: (units,), the state of every neighbour outside the image.
        step: 1 to go right (beside is the left neighbour), -1 to go left (beside is the right neighbour).

    Returns:
        h, (height, width, units).
    """
    height, width, _ = input_to_state.shape
    units = len(initial_h)
    h, c = np.zeros((height, width, units)), np.zeros((height, width, units))
    columns = range(width) if step == 1 else reversed(range(width))
    for j in columns:
        for i in range(height):
            beside_is_inside = 0 <= j - step < width
            h_above = h[i - 1, j] if i > 0 else initial_h
            h_beside = h[i, j - step] if beside_is_inside else initial_h
            c_beside = c[i, j - step] if beside_is_inside else initial_c
            gates = input_to_state[i, j].copy()
            add_state_to_state(gates, kernel_above, h_above)
            add_state_to_state(gates, kernel_beside, h_beside)
            h[i, j], c[i, j] = lstm_state(gates, c_beside)
    return h


def diagonal_bilstm(x, input_kernel, input_bias, recurrent_kernel, initial_h, initial_c, colours, bias=None):
    """Diagonal BiLSTM, section 3.2: one LSTM from each upper corner, their sum.

        y[i, j] = h_right-going[i, j] + h_mirrored[i - 1, j]

    The mirrored map is moved down one row before it is added: at its own pixel it has seen everything to the right.

    Args:
        x: (height, width, c_in).
        input_kernel: (1, 1, c_in, 8 * units), mask B; the first half for the direction that goes right.
        input_bias: (8 * units,).
        recurrent_kernel: (2 directions, 2 taps, units, 4 * units), taps [above, beside].
        initial_h, initial_c: (2 directions, units).
        colours: number of colours.
        bias: (height, width, 8 * units) added to the input-to-state map, or None.

    Returns:
        (height, width, units).
    """
    height, width, _ = x.shape
    units = initial_h.shape[-1]
    input_to_state = masked_conv2d(
        x, input_kernel, input_bias, "B", colours, out_colour=lambda n: colour_of_gate(n, units, colours), bias=bias
    )

    (right_above, right_beside), (mirrored_above, mirrored_beside) = recurrent_kernel
    right = one_diagonal_lstm(
        input_to_state[:, :, : 4 * units], right_above, right_beside, initial_h[0], initial_c[0], step=1
    )
    mirrored = one_diagonal_lstm(
        input_to_state[:, :, 4 * units :], mirrored_above, mirrored_beside, initial_h[1], initial_c[1], step=-1
    )

    y = np.zeros((height, width, units))
    for i in range(height):
        for j in range(width):
            for u in range(units):
                y[i, j, u] = right[i, j, u]
                if i > 0:  # the mirrored map, moved down one row; above it there is nothing
                    y[i, j, u] += mirrored[i - 1, j, u]
    return y


def logits(x, kernel, kernel_bias, colours, levels, bias=None):
    """The last 1x1 convolution, mask B: for each colour of each pixel one logit per level.

    With n logits per value, output feature colour * n + level makes level `level` of colour `colour`: n = levels for
    the softmax of section 2.2, n = 1 for the sigmoid of binary images.

    Args:
        x: (height, width, c_in).
        kernel: (1, 1, c_in, colours * n).
        kernel_bias: (colours * n,).
        colours, levels: number of colours, and of values that each can take.
        bias: (height, width, colours * n), or None.

    Returns:
        (height, width, colours, levels), or (height, width, colours) if levels is 2.
    """
    height, width, _ = x.shape
    logits_per_value = 1 if levels == 2 else levels
    flat = masked_conv2d(x, kernel, kernel_bias, "B", colours, out_colour=lambda n: n // logits_per_value, bias=bias)

    y = np.zeros((height, width, colours, logits_per_value))
    for i in range(height):
        for j in range(width):
            for colour in range(colours):
                for level in range(logits_per_value):
                    y[i, j, colour, level] = flat[i, j, colour * logits_per_value + level]
    return y[:, :, :, 0] if levels == 2 else y


def copied(logits, known):
    """Logits (height, width, colours, levels), or (height, width, colours), certain of known values (-1: unknown)."""
    logits = logits.copy()
    for position in np.ndindex(known.shape):
        value = int(known[position])
        if value >= 0 and logits.ndim == 3:
            logits[position] += 2.0**66 if value == 1 else -(2.0**66)
        elif value >= 0:
            logits[position] -= [0.0 if level == value else 2.0**66 for level in range(logits.shape[-1])]
    return logits
