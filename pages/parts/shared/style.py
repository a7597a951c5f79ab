"""What the theme in `.streamlit/config.toml` cannot say of the look of all pages."""

import streamlit as st

# Streamlit leaves a hand's breadth between its menu and the title. Its white letters have a contrast of 2.5 to 1 on the
# blue of the dark theme, which has to be light; and its lines of code run out of a phone's window, where no key can
# scroll them. What is pressed is 24 pixels high and wide at least, and 44 high on a phone; the thumb of a slider is
# grasped beside it, too, and a finger that moves up or down on its track moves the page.
STYLE = """<style>
[data-testid='stMainBlockContainer'] { padding-top: 4rem; }
[data-testid^='stBaseButton-primary'], [data-testid='stMultiSelect'] [data-tag] { color: light-dark(#fff, #050709); }
[data-testid='stMain'] :is(pre, pre code) { white-space: pre-wrap !important; overflow-wrap: anywhere; }
[class*='shared-head'] { flex-wrap: nowrap; }
[class*='-charts_'] > * { flex-grow: 1 !important; }
@media (max-width: 640px) { [class*='shared-head'] h1 { font-size: 1.75rem; } }
[data-testid='stExpandSidebarButton']::after { content: 'MENU'; font-size: 0.875rem; margin-left: 0.25rem; }
[data-testid='stExpandSidebarButton'] { width: auto; }
[data-testid='stMain'] :is([data-testid='stMultiSelect'] button, [aria-label^='Help for'], a[href^='#']),
[data-testid^='stTabsScroll'] { min-width: 1.5rem; min-height: 1.5rem; }
[data-testid='stCheckbox'] label { min-height: 1.5rem; align-items: center; }
[data-testid='stSlider'] div:has(> div > input)::before { content: ''; position: absolute; inset: -0.75rem; }
[data-testid='stSlider'] [style*='touch-action'] { touch-action: pan-y !important; }
@media (max-width: 768px) {
  [data-testid='stMain'] :is([data-testid^='stBaseButton'], summary, [role='tab']),
  [data-testid='stSidebarNavLink'], [data-testid='stExpandSidebarButton'], [data-testid='stCheckbox'] label {
    min-height: 2.75rem; }
}
</style>"""


def style_app(menu: str) -> None:
    """Put the style on the page that is about to be shown.

    Args:
        menu: what the menu of a narrow window is called: Streamlit draws it as two arrows.
    """
    st.html(STYLE.replace("MENU", menu))
