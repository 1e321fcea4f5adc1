"""Clues as two explanations would word them: each pair means the same, and pairs mean different things. Thresholds were set on these."""

PARAPHRASES = (
    ("left hand: It has six fingers.", "the left hand: One finger too many is visible."),
    ("street sign: The letters melt into each other.", "sign above the door: Its lettering is illegible and blurred together."),
    ("right eye: The pupil is not round.", "eye on the right: An oval, misshapen pupil."),
    ("window frame: The bars end in the air.", "window on the left: Frame bars stop before reaching the sill."),
    ("dog's paw: It sinks into the lawn.", "front paw of the dog: The paw merges with the grass."),
    ("earring: It fuses with the earlobe.", "left ear: The earring grows out of the skin of the lobe."),
    ("background crowd: Faces are smeared.", "people behind: Their faces have no clear features."),
    ("brick wall: The pattern repeats exactly.", "wall: The same bricks are repeated again and again."),
    ("shadow under the cup: It falls towards the light.", "cup: Its shadow points in the wrong direction."),
    ("shirt logo: The emblem is garbled.", "logo on the shirt: A brand mark that reads as nonsense."),
    ("hair at the neck: Strands vanish into the collar.", "hair: Some strands disappear where they meet the collar."),
    ("bicycle wheel: Spokes do not meet in the hub.", "rear wheel: The spokes miss the hub."),
    ("teeth: There are too many of them.", "mouth: An excess of small, uniform teeth."),
    ("book spine: Random glyphs instead of a title.", "book on the shelf: The title is made of meaningless characters."),
    ("horizon: It jumps behind the tree.", "skyline: The line of the horizon is at another height right of the tree."),
    ("skin of the cheek: Waxy and without pores.", "cheek: Overly smooth, plastic-like skin."),
    ("glasses: The left temple is missing.", "spectacles: One of the arms does not exist."),
    ("water reflection: It does not match the boat.", "reflection in the lake: Shows a different boat than above."),
    ("cat's tail: There are two of them.", "tail of the cat: A second tail is visible."),
    ("keyboard: Keys have different sizes in one row.", "computer keyboard: The key layout is irregular."),
)
